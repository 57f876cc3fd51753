from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from daemon.errors import DatabaseBroken, DatabaseBusy, DatabaseCorrupt, DiskFull, SettingsError
from daemon.store.database import Database, open_database
from daemon.store.dialects.transactions import connected
from daemon.store.tables import ErrandRow, EventRow, KeyRow, RepeatRow, utc_now
from tests import servers
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

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseBroken):
            open_database(tmp_path / "missing" / "vix.db")


UNREACHABLE = ["postgresql://vix:geheim@127.0.0.1:1/vix", "mysql://vix:geheim@127.0.0.1:1/vix"]


class TestServers:
    @pytest.mark.parametrize("url", UNREACHABLE)
    def test_one_that_cannot_be_reached(self, url: str) -> None:
        pytest.importorskip("psycopg" if url.startswith("postgresql") else "pymysql", reason="not installed")
        with pytest.raises(DatabaseBusy, match=r"(?i)refused") as caught:
            open_database(url)
        assert "geheim" not in str(caught.value)

    @pytest.mark.parametrize("kind", ["postgresql", "mysql"])
    def test_no_such_database(self, kind: str) -> None:
        url = urlunsplit(urlsplit(servers.url_of(kind))._replace(path="/vix_not_there"))
        with pytest.raises((DatabaseBroken, DatabaseBusy), match="vix_not_there"):
            open_database(url)

    @pytest.mark.parametrize("kind", ["postgresql", "mysql"])
    def test_lost_connections_are_made_again(self, kind: str, tmp_path: Path) -> None:
        with servers.fresh_database(kind, tmp_path) as url:
            database = open_database(url)
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda number: add(database, str(number)), range(20)))
            cut_connections(kind, str(url))
            assert len(names(database)) == 20  # idle ones are noticed before they are used
            with pytest.raises(DatabaseBusy):
                write_on_a_cut_connection(database, kind, str(url))
            add(database, "found")
            assert names(database)[20:] == ["found"]
            database.close()

    @pytest.mark.parametrize("kind", ["postgresql", "mysql"])
    def test_a_writer_that_is_killed_leaves_its_turn(self, kind: str, tmp_path: Path) -> None:
        script = """
import os, signal, sys
from daemon.store.database import open_database
from daemon.store.tables import ErrandRow, utc_now
with open_database(sys.argv[1]).write() as connection:
    ErrandRow.insert(name="killed", asked_at=utc_now()).execute(connection)
    print("writing", flush=True)
    signal.pause()
"""
        with servers.fresh_database(kind, tmp_path) as url:
            database = open_database(url, busy_s=0.3)
            command = [sys.executable, "-c", script, str(url)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
                assert other.stdout
                assert other.stdout.readline() == "writing\n"
                with pytest.raises(DatabaseBusy):
                    add(database, "too early")
                other.kill()
            patient = open_database(url, busy_s=10)
            add(patient, "after")
            assert names(database) == ["after"]
            database.close()
            patient.close()

    @pytest.mark.parametrize("url", ["amqp://localhost/vix", "http://localhost/vix"])
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(SettingsError, match="postgresql"):
            open_database(url)

    @pytest.mark.parametrize(
        "url", ["postgresql://u:geheim@host/%zz", "mysql://u:geheim@host/", "mysql://u:geheim@h:x/d"]
    )
    def test_a_url_that_cannot_be_read_is_not_shown(self, url: str) -> None:
        pytest.importorskip("psycopg" if url.startswith("postgresql") else "pymysql", reason="not installed")
        with pytest.raises(SettingsError) as caught:
            open_database(url)
        assert "geheim" not in str(caught.value)

    @pytest.mark.parametrize("url", UNREACHABLE)
    def test_without_its_packages_the_command_is_named(self, url: str) -> None:
        script = """
import importlib.abc, sys
class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("psycopg", "psycopg2", "pymysql", "MySQLdb"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
from daemon.errors import SettingsError
from daemon.store.database import open_database
try:
    open_database(sys.argv[1])
except SettingsError as exc:
    print(exc)
"""
        said = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True).stdout
        assert "./vix add cluster" in said
        assert "geheim" not in said


def write_on_a_cut_connection(database: Database, kind: str, url: str) -> None:
    with database.write() as connection:
        ErrandRow.insert(name="lost", asked_at=utc_now()).execute(connection)
        cut_connections(kind, url)
        ErrandRow.insert(name="lost, too", asked_at=utc_now()).execute(connection)


def cut_connections(kind: str, url: str) -> None:
    """End all sessions of the database at its server."""
    name = urlsplit(url).path.strip("/")
    if kind == "postgresql":
        condition = f"datname = '{name}' AND pid <> pg_backend_pid()"
        servers.run_sql(kind, url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {condition}")
        return
    import pymysql

    parts = urlsplit(url)
    known = {"host": parts.hostname, "port": parts.port or 3306, "user": parts.username}
    with closing(pymysql.connect(**known, password=parts.password or "")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


class TestOpening:
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
