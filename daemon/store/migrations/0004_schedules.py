"""Schedules, and what came of each of their slots."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, BigIntegerField, BooleanField, CharField, IntegerField, Model, TextField

from daemon.store.schema import create_tables


class Schedule(Model):
    seq = AutoField()
    id = CharField(40, unique=True)
    key_id = CharField(40)
    name = TextField()
    kind = CharField(40)
    every = TextField()
    at = TextField()
    timezone = CharField(80)
    spec = TextField()
    base_url = TextField()
    enabled = BooleanField()
    lead_min = IntegerField()
    turn = IntegerField()
    looked_until_us = BigIntegerField()
    created_us = BigIntegerField()
    updated_us = BigIntegerField()

    class Meta:
        table_name = "schedule"
        indexes = ((("key_id", "seq"), False), (("enabled", "seq"), False))


class Slot(Model):
    seq = AutoField()
    schedule_id = CharField(40)
    at_us = BigIntegerField()
    state = CharField(20)
    job_id = CharField(40, null=True)
    message = TextField()

    class Meta:
        table_name = "slot"
        indexes = ((("schedule_id", "at_us"), True), (("schedule_id", "seq"), False), (("at_us",), False))


def up(migrator: Any, database: Any) -> None:
    create_tables(database, [Schedule, Slot])
