"""The first tables: jobs and keys. A migration keeps its own copy of the tables, as they were then."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, BigIntegerField, CharField, DoubleField, IntegerField, Model, TextField

from daemon.store.schema import create_tables


class Job(Model):
    seq = AutoField()
    id = CharField(40, unique=True)
    kind = CharField(40)
    spec = TextField()
    seed = BigIntegerField()
    key_id = CharField(40)
    client_data = TextField()
    film_s = DoubleField()
    work = DoubleField()
    status = CharField(20)
    stage = CharField(40)
    progress = IntegerField()
    attempt = IntegerField()
    put_backs = IntegerField()
    owner = CharField(80, null=True)
    error = TextField(null=True)
    result = TextField(null=True)
    warnings = TextField()
    created_us = BigIntegerField()
    claimed_us = BigIntegerField(null=True)
    started_us = BigIntegerField(null=True)
    finished_us = BigIntegerField(null=True)

    class Meta:
        table_name = "job"
        indexes = (
            (("status", "seq", "work"), False),
            (("status", "finished_us"), False),
        )


class Key(Model):
    id = CharField(40, primary_key=True)
    name = TextField()
    digest = CharField(64)
    created_us = BigIntegerField()
    revoked_us = BigIntegerField(null=True)

    class Meta:
        table_name = "key"


def up(migrator: Any, database: Any) -> None:
    create_tables(database, [Job, Key])
