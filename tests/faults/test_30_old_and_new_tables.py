"""A program meets tables that are older or newer than it: the old ones are brought up to date with everything in them,
even after being killed in the middle, and an old program goes on working on the new ones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import peewee
import pytest
from playhouse.migrations import Runner

from daemon.store import tables
from daemon.store.database import MIGRATIONS, Database, open_database
from daemon.store.dialects import dialect_for
from daemon.store.dialects.transactions import connected

JOB = {
    "kind": "template",
    "spec": '{"a":1}',
    "seed": 7,
    "key_id": "k",
    "client_data": "null",
    "film_s": 10.0,
    "work": 2.5,
    "status": "in_queue",
    "stage": "",
    "progress": 0,
    "attempt": 0,
    "put_backs": 0,
    "warnings": "[]",
    "created_us": 1_700_000_000_000_000,
}
KEY = {"name": "n8n", "digest": "d" * 64, "created_us": 1_700_000_000_000_000}


def first_tables() -> Any:
    """The tables as the first release knows them."""
    spec = importlib.util.spec_from_file_location("first", MIGRATIONS / "0001_jobs_and_keys.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_first(target: Path | str) -> None:
    """A database of the first release with a job and a key, written as that release wrote them."""
    first, dialect = first_tables(), dialect_for(target, 1)
    with connected(dialect.pool):
        Runner(dialect.pool, str(MIGRATIONS)).up("0001_jobs_and_keys")
        first.Job.insert(id="job_old", **JOB).execute(dialect.pool)
        first.Job.insert(id="job_done", **JOB | {"status": "done"}).execute(dialect.pool)
        first.Key.insert(id="oldkey", **KEY).execute(dialect.pool)
    dialect.pool.close_all()


def rows(database: Database, model: type[peewee.Model]) -> dict[str, Any]:
    with database.read() as connection:
        return {row.id: row for row in model.select().execute(connection)}


def check_upgraded(database: Database) -> None:
    job, key = rows(database, tables.JobRow)["job_old"], rows(database, tables.KeyRow)["oldkey"]
    assert (job.spec, job.seed, job.work, job.rank, job.callback, job.base_url) == ({"a": 1}, 7, 2.5, 0, None, "")
    assert (key.name, key.scopes, key.per_day, key.day, key.hook_generation) == ("n8n", ["submit", "read"], None, 0, 1)


def test_old_tables_are_brought_up_to_date(database_url: Path | str) -> None:
    make_first(database_url)
    database = open_database(database_url)
    check_upgraded(database)
    films = {name: job.film for name, job in rows(database, tables.JobRow).items()}
    assert films == {"job_old": None, "job_done": "job_done"}, "its files keep the name that they had"
    database.close()


def test_an_old_program_works_on_new_tables(database_url: Path | str) -> None:
    database, first = open_database(database_url), first_tables()
    with database.write() as connection:
        first.Job.insert(id="job_old", **JOB).execute(connection)
        first.Key.insert(id="oldkey", **KEY).execute(connection)
    check_upgraded(database)
    database.close()


@pytest.mark.parametrize("step", range(1, 30, 4))
def test_killed_in_the_middle_it_goes_on(database_url: Path | str, step: int) -> None:
    script = """
import os, signal, sys
from daemon.store import schema
from daemon.store.database import open_database
class Left:
    steps = int(sys.argv[2])
def count(sql):
    if sql.startswith(("CREATE", "ALTER", "DROP")):
        Left.steps -= 1
        if Left.steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
from daemon.store.dialects import dialect_for
from daemon.store.database import Database
dialect = dialect_for(sys.argv[1], 1)
dialect.pool.query_hooks.append(lambda event: count(event.sql))
Database(dialect).migrate()
"""
    make_first(database_url)
    command = [sys.executable, "-c", script, str(database_url), str(step)]
    assert subprocess.run(command, capture_output=True).returncode == -9
    database = open_database(database_url)
    check_upgraded(database)
    assert_as_declared(database)
    database.close()


def test_the_tables_are_as_declared(database_url: Path | str) -> None:
    database = open_database(database_url)
    assert_as_declared(database)
    database.close()


def assert_as_declared(database: Database) -> None:
    models = [model for model in vars(tables).values() if isinstance(model, type) and issubclass(model, peewee.Model)]
    for model in models:
        if model is peewee.Model:
            continue
        fields = {field.column_name: field for field in model._meta.sorted_fields}
        with database.read() as connection:
            columns = {column.name: column for column in connection.get_columns(model._meta.table_name)}
        assert set(columns) == set(fields), model
        for name, field in fields.items():
            assert columns[name].null == field.null, (model, name)


INDEXES = {
    "job": [
        ["id"],
        ["key_id", "seq"],
        ["key_id", "status", "seq"],
        ["status", "finished_us"],
        ["status", "rank", "seq", "work"],
    ],
    "event": [["job_id", "seq"]],
    "repeat": [["created_us"], ["job_id"]],
    "callback": [["state", "next_us"], ["job_id"]],
    "callback_try": [["callback_id"]],
    "errand": [["done_us"]],
    "schedule": [["id"], ["key_id", "seq"], ["enabled", "seq"]],
    "slot": [["schedule_id", "at_us"], ["schedule_id", "seq"], ["at_us"]],
}


def test_what_is_searched_for_is_indexed(database_url: Path | str) -> None:
    make_first(database_url)
    database = open_database(database_url)
    for table, wanted in INDEXES.items():
        with database.read() as connection:
            found = [index.columns for index in connection.get_indexes(table)]
        assert [columns for columns in wanted if columns not in found] == []
        assert ["status", "seq", "work"] not in found  # another one does its work
    database.close()
