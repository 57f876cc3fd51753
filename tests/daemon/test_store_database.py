from __future__ import annotations

import fcntl
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import DatabaseBroken, DatabaseBusy, DatabaseCorrupt, DiskFull
from daemon.store.database import Database, open_database
from daemon.store.dialects.sqlite import Sqlite
from daemon.store.dialects.transactions import connected
from daemon.store.tables import ErrandRow, EventRow, KeyRow, RepeatRow, utc_now
from tests.daemon.conftest import every_database


def add(database: Database, name: str, argument: str = "") -> None:
    with database.write() as connection:
        ErrandRow.insert(name=name, argument=argument, asked_at=utc_now()).execute(connection)


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.name for row in ErrandRow.select().order_by(ErrandRow.seq).execute(connection)]


def add_and_raise(database: Database, kind: type[BaseException]) -> None:
    with database.write() as connection:
        ErrandRow.insert(name="never", asked_at=utc_now()).execute(connection)
        raise kind


@contextmanager
def write_locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@every_database
class TestTransactions:
    """The same on every kind of database."""

    def test_what_is_written_is_read(self, vix_database: Database) -> None:
        text, payload = "ü€😀" * 50_000, {"a": ["x" * 2_000_000, None, 1.5, "\ud800 \x00"]}
        with vix_database.write() as connection:
            values = {"job_id": "job_1", "at": utc_now(), "type": "t", "level": "info"}
            EventRow.insert(**values, message=text, payload=payload).execute(connection)
        with vix_database.read() as connection:
            (row,) = EventRow.select().execute(connection)
        assert (row.message, row.payload, row.at) == (text, payload, values["at"])

    def test_text_differs_by_every_letter(self, vix_database: Database) -> None:
        keys = ["abc", "ABC", "äbc", "abc1"]
        with vix_database.write() as connection:
            for key in keys:
                KeyRow.insert(id=key, name="n", digest="d", created_at=utc_now()).execute(connection)
        with vix_database.read() as connection:
            for key in keys:
                assert [row.id for row in KeyRow.select().where(KeyRow.id == key).execute(connection)] == [key]

    def test_numbers_keep_their_size(self, vix_database: Database) -> None:
        with vix_database.read() as connection:
            columns = {column.name: column.data_type.lower() for column in connection.get_columns("job")}
        # SQLite's REAL has 8 bytes, PostgreSQL's has 4.
        assert columns["work"] == columns["film_s"] in ("real" if vix_is_file(vix_database) else "", *_DOUBLES)
        assert columns["created_us"] in ("bigint", "integer" if vix_is_file(vix_database) else "bigint")

    def test_an_update_that_changes_nothing_has_found_its_row(self, vix_database: Database) -> None:
        add(vix_database, "a")
        for _ in range(2):
            with vix_database.write() as connection:
                assert ErrandRow.update(name="b").where(ErrandRow.argument == "").execute(connection) == 1
        with vix_database.write() as connection:
            assert ErrandRow.update(name="b").where(ErrandRow.argument == "?").execute(connection) == 0

    def test_an_error_takes_everything_back(self, vix_database: Database) -> None:
        add(vix_database, "a")
        with pytest.raises(ZeroDivisionError):
            add_and_raise(vix_database, ZeroDivisionError)
        assert names(vix_database) == ["a"]
        add(vix_database, "c")
        assert names(vix_database) == ["a", "c"]

    def test_an_interruption_takes_everything_back(self, vix_database: Database) -> None:
        with pytest.raises(KeyboardInterrupt):
            add_and_raise(vix_database, KeyboardInterrupt)
        add(vix_database, "c")
        assert names(vix_database) == ["c"]

    def test_a_reader_sees_one_moment(self, vix_database: Database) -> None:
        add(vix_database, "a")
        with vix_database.read() as connection:
            assert ErrandRow.select().count(connection) == 1
            with ThreadPoolExecutor(1) as other:
                other.submit(add, vix_database, "b").result()
            assert ErrandRow.select().count(connection) == 1
        assert names(vix_database) == ["a", "b"]

    def test_a_mistake_in_a_query_is_not_hidden(self, vix_database: Database) -> None:
        with pytest.raises(Exception, match="missing_column") as caught, vix_database.read() as connection:
            connection.execute_sql("select missing_column from errand")
        assert not isinstance(caught.value, DatabaseBroken | DatabaseBusy)
        add(vix_database, "a")

    def test_a_row_that_is_there_twice_is_a_mistake(self, vix_database: Database) -> None:
        row = {"key_id": "k", "word": "w", "body_hash": "h", "job_id": "j", "created_at": utc_now()}
        with vix_database.write() as connection:
            RepeatRow.insert(**row).execute(connection)
        with pytest.raises(Exception, match=r"(?i)unique|duplicate"), vix_database.write() as connection:
            RepeatRow.insert(**row).execute(connection)

    def test_checking_finds_nothing_wrong(self, vix_database: Database) -> None:
        add(vix_database, "a")
        vix_database.check()


_DOUBLES = ("double", "double precision")


def vix_is_file(database: Database) -> bool:
    try:
        return database.path.exists()
    except ValueError:
        return False


class TestWriters:
    """One at a time, in however many processes and threads."""

    def test_a_second_writer_waits_and_then_gives_up(self, database_url: Path | str) -> None:
        first, second = open_database(database_url), open_database(database_url, busy_s=0.2)
        with first.write() as connection:
            ErrandRow.insert(name="a", asked_at=utc_now()).execute(connection)
            with pytest.raises(DatabaseBusy):
                add(second, "b")
            assert names(second) == []  # readers do not wait
        add(second, "c")
        assert names(first) == ["a", "c"]
        first.close()
        second.close()

    def test_a_writer_reads_what_the_one_before_has_committed(self, database_url: Path | str) -> None:
        databases = [open_database(database_url) for _ in range(2)]  # as two processes: they share no lock in memory

        def count_up(number: int) -> None:
            for _ in range(10):
                with databases[number % 2].write() as connection:
                    count = ErrandRow.select().count(connection)
                    ErrandRow.insert(name=str(count), asked_at=utc_now()).execute(connection)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count_up, range(4)))
        assert names(databases[0]) == [str(number) for number in range(40)]
        for database in databases:
            database.close()

    def test_waiting_in_line_is_part_of_the_waiting(self, tmp_path: Path) -> None:
        # The second writer of a process waits for the first one's thread and then for the file: one patience together.
        database = open_database(tmp_path / "vix.db", busy_s=60)
        with connected(database._pool):
            waits = [database._pool.pragma("busy_timeout")]
            with database._dialect.writing(2.0):
                waits.append(database._pool.pragma("busy_timeout"))
            waits.append(database._pool.pragma("busy_timeout"))
        assert waits == [60_000, 2_000, 60_000]
        database.close()


class TestErrors:
    """What SQLite says becomes one of our errors, and nothing is half written."""

    def test_busy(self, vix_database: Database) -> None:
        add(vix_database, "a")
        with write_locked(vix_database.path):
            with pytest.raises(DatabaseBusy) as caught:
                add(vix_database, "b")
            assert names(vix_database) == ["a"]  # readers do not wait
        assert caught.value.__cause__ is not None
        add(vix_database, "c")
        assert names(vix_database) == ["a", "c"]

    def test_full(self, vix_database: Database) -> None:
        add(vix_database, "a")
        with vix_database.read() as connection:
            raw = connection.connection()
            pages = connection.pragma("page_count")
        raw.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(DiskFull) as caught:
            add(vix_database, "b", "x" * 100_000)
        assert caught.value.__cause__ is not None
        assert names(vix_database) == ["a"]
        raw.execute("pragma max_page_count = 1000000")
        add(vix_database, "c", "x" * 100_000)
        assert names(vix_database) == ["a", "c"]

    def test_not_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "vix.db"
        path.write_bytes(b"not a database at all\n" * 500)
        with pytest.raises(DatabaseCorrupt, match="file is not a database"):
            open_database(path)
        assert path.read_bytes().startswith(b"not a database")

    def test_damage_under_way(self, vix_database: Database) -> None:
        for number in range(200):
            add(vix_database, str(number), "x" * 100)
        vix_database.close()
        content = bytearray(vix_database.path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        vix_database.path.write_bytes(content)
        with pytest.raises(DatabaseBroken):
            names(vix_database)
        with pytest.raises(DatabaseCorrupt) as caught:
            vix_database.check()
        assert caught.value.exit_code == 78  # sysexits.h: EX_CONFIG

    def test_a_file_that_is_whole_again_is_used_again(self, vix_database: Database) -> None:
        add(vix_database, "a")
        vix_database.close()
        content = vix_database.path.read_bytes()
        vix_database.path.write_bytes(b"\xff" * len(content))
        with pytest.raises(DatabaseBroken):
            names(vix_database)
        vix_database.path.write_bytes(content)
        assert names(vix_database) == ["a"]

    @pytest.mark.parametrize(
        ("code", "meaning"),
        [
            *((sqlite3.SQLITE_PROTOCOL, DatabaseBusy), (sqlite3.SQLITE_SCHEMA, DatabaseBusy)),
            *((sqlite3.SQLITE_INTERNAL, DatabaseBroken), (sqlite3.SQLITE_NOLFS, DatabaseBroken)),
            *((sqlite3.SQLITE_ERROR, type(None)), (sqlite3.SQLITE_MISUSE, type(None))),
        ],
    )
    def test_what_cannot_be_brought_about(self, vix_database: Database, code: int, meaning: type) -> None:
        error = sqlite3.OperationalError("as SQLite says it")
        error.sqlite_errorcode = code
        assert type(vix_database._dialect.meaning(error)) is meaning

    def test_no_memory(self, tmp_path: Path) -> None:
        """Python has its own error for what SQLite says about that. The limit is a whole process's, and stays."""
        script = """
import sys
from daemon.errors import DatabaseBusy
from daemon.store.database import open_database
from tests.daemon.test_store_database import add, names
database = open_database(sys.argv[1])
add(database, "a")
with database.read() as connection:
    connection.execute_sql("pragma hard_heap_limit = 900000")
try:
    add(database, "b", "x" * 1_000_000)
except DatabaseBusy:
    assert names(database) == ["a"]
    sys.exit(5)
"""
        done = subprocess.run([sys.executable, "-c", script, tmp_path / "vix.db"], capture_output=True, text=True)
        assert done.returncode == 5, done.stderr

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseBroken):
            open_database(tmp_path / "missing" / "vix.db")


class TestOpening:
    def test_a_migration_that_hangs_is_not_waited_for_without_end(self, tmp_path: Path) -> None:
        path = tmp_path / "vix.db"
        open_database(path).close()
        with path.with_name("vix.db.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            dialect: Any = Sqlite(path, 1.0, migration_wait_s=0.2)
            database = Database(dialect)
            with pytest.raises(DatabaseBusy):
                database.migrate()
        database.migrate()
        database.close()

    def test_many_at_once(self, database_url: Path | str) -> None:
        script = (
            "import sys; from daemon.store.database import open_database;"
            "from tests.daemon.test_store_database import add; add(open_database(sys.argv[1]), 'a')"
        )
        started = [subprocess.Popen([sys.executable, "-c", script, str(database_url)]) for _ in range(6)]
        assert [process.wait() for process in started] == [0] * 6
        database = open_database(database_url)
        assert names(database) == ["a"] * 6
        database.close()

    @pytest.mark.parametrize("form", ["{}", "sqlite:{}", "sqlite:///{}"])
    def test_ways_to_name_a_file(self, tmp_path: Path, form: str) -> None:
        database = open_database(form.format(tmp_path / "vix.db"))
        assert database.path == tmp_path / "vix.db"
        assert database.path.exists()
        database.close()

    def test_a_second_opening_keeps_what_is_there(self, database_url: Path | str) -> None:
        first = open_database(database_url)
        add(first, "a")
        again = open_database(database_url)
        assert names(again) == ["a"]
        first.close()
        again.close()

    def test_a_connection_is_not_used_across_a_fork(self, tmp_path: Path) -> None:
        script = """
import os, sys
from pathlib import Path
from daemon.store.database import open_database
from tests.daemon.test_store_database import names
database = open_database(Path(sys.argv[1]))
assert names(database) == []
pid = os.fork()
if not pid:
    try:
        names(database)
    except RuntimeError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert names(database) == []
"""
        subprocess.run([sys.executable, "-c", script, tmp_path / "vix.db"], check=True)

    @every_database
    def test_threads_share_nothing_but_the_database(self, vix_database: Database) -> None:
        patient = random.Random(0)
        numbers = [str(patient.random()) for _ in range(48)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: insist(vix_database, name), numbers))
            found = list(threads.map(lambda _: names(vix_database), range(16)))
        assert [sorted(one) for one in found] == [sorted(numbers)] * 16


def insist(database: Database, name: str) -> None:
    """Add in spite of a database of little patience."""
    for _ in range(100):
        try:
            return add(database, name)
        except DatabaseBusy:
            continue
    raise AssertionError("busy for ever")
