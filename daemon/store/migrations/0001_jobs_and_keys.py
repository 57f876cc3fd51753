"""The first tables: jobs and keys. A migration keeps its own copy of the tables, as they were then."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, BigIntegerField, FloatField, IntegerField, Model, TextField


class Job(Model):
    seq = AutoField()
    id = TextField(unique=True)
    kind = TextField()
    spec = TextField()
    seed = BigIntegerField()
    key_id = TextField()
    client_data = TextField()
    film_s = FloatField()
    work = FloatField()
    status = TextField()
    stage = TextField()
    progress = IntegerField()
    attempt = IntegerField()
    put_backs = IntegerField()
    owner = TextField(null=True)
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
    id = TextField(primary_key=True)
    name = TextField()
    digest = TextField()
    created_us = BigIntegerField()
    revoked_us = BigIntegerField(null=True)

    class Meta:
        table_name = "key"


def up(migrator: Any, database: Any) -> None:
    with database.bind_ctx([Job, Key]):
        database.create_tables([Job, Key])
