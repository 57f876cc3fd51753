"""Databases at a server: reached, lost and found again, and never waited for without end."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit, urlunsplit

import pytest

from daemon.errors import DatabaseBroken, DatabaseBusy, SettingsError
from daemon.store.database import Database, open_database
from daemon.store.dialects import dialect_for
from daemon.store.tables import ErrandRow, utc_now
from tests import servers
from tests.daemon.test_store_database import add, names

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


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
class TestPatience:
    """Nobody waits without end for a server."""

    def test_every_wait_has_an_end(self, kind: str, tmp_path: Path) -> None:
        with servers.fresh_database(kind, tmp_path) as url:
            database = open_database(url)
            with database.read() as connection:
                ask = "SHOW statement_timeout" if kind == "postgresql" else "SELECT @@innodb_lock_wait_timeout"
                assert connection.execute_sql(ask).fetchone()[0] in ("30s", 10)
                raw = connection.connection()
                if kind == "postgresql":
                    parameters = {one.keyword: one.val for one in raw.pgconn.info}
                    assert parameters[b"tcp_user_timeout"] == b"10000"
                else:
                    assert raw._sock.gettimeout() == 20  # not what a migration may take
            database.close()

    def test_one_lost_connection_is_enough_to_drop_the_idle_ones(self, kind: str, tmp_path: Path) -> None:
        with servers.fresh_database(kind, tmp_path) as url:
            database = open_database(url, busy_s=10)
            together = Barrier(4)

            def read_together(number: int) -> None:
                with database.read():
                    together.wait(60)

            with ThreadPoolExecutor(4) as threads:
                list(threads.map(read_together, range(4)))
            assert len(database._pool._connections) == 4
            with pytest.raises(DatabaseBusy):
                write_on_a_cut_connection(database, kind, str(url))
            assert database._pool._connections == []
            assert names(database) == []
            database.close()


def test_a_statement_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with servers.fresh_database("postgresql", tmp_path) as url:
        database = open_database(f"{url}?options=-c%20statement_timeout%3D100ms")
        with pytest.raises(DatabaseBusy), database.read() as connection:
            connection.execute_sql("SELECT pg_sleep(60)")
        assert names(database) == []
        database.close()


def test_answers_out_of_order_are_a_lost_connection() -> None:
    err = pytest.importorskip("pymysql.err", reason="not installed")
    dialect = dialect_for("mysql://vix@127.0.0.1:1/vix", 1.0)
    lost = err.InternalError("Packet sequence number wrong - got 3 expected 1")
    assert isinstance(dialect.meaning(lost), DatabaseBusy)
    assert dialect.meaning(err.ProgrammingError("Cursor closed")) is None
