"""Priority, callbacks and events of jobs; scopes, limits and rotation of keys; workers, audit and errands."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, BigIntegerField, CharField, CompositeKey, IntegerField, Model, TextField

from daemon.store.schema import add_columns, add_index, create_tables, drop_index


class Event(Model):
    seq = AutoField()
    job_id = CharField(40)
    at_us = BigIntegerField()
    type = CharField(40)
    level = CharField(10)
    message = TextField()
    payload = TextField()

    class Meta:
        table_name = "event"
        indexes = ((("job_id", "seq"), False),)


class Repeat(Model):
    key_id = CharField(40)
    word = CharField(255)
    body_hash = CharField(64)
    job_id = CharField(40)
    answer = TextField(null=True)
    created_us = BigIntegerField()

    class Meta:
        table_name = "repeat"
        primary_key = CompositeKey("key_id", "word")
        indexes = ((("created_us",), False), (("job_id",), False))


class Worker(Model):
    id = CharField(80, primary_key=True)
    about = TextField()
    job_id = CharField(40, null=True)
    beats = BigIntegerField()
    started_us = BigIntegerField()
    seen_us = BigIntegerField()

    class Meta:
        table_name = "worker"


class Callback(Model):
    id = CharField(40, primary_key=True)
    job_id = CharField(40, null=True)
    key_id = CharField(40)
    type = CharField(40)
    host = CharField(255)
    url = TextField()
    headers = TextField()
    body = TextField()
    state = CharField(20)
    tries = IntegerField()
    owner = CharField(80, null=True)
    next_us = BigIntegerField()
    first_try_us = BigIntegerField(null=True)
    created_us = BigIntegerField()
    ended_us = BigIntegerField(null=True)

    class Meta:
        table_name = "callback"
        indexes = ((("state", "next_us"), False), (("job_id",), False), (("ended_us",), False))


class CallbackTry(Model):
    seq = AutoField()
    callback_id = CharField(40)
    at_us = BigIntegerField()
    status = IntegerField(null=True)
    message = TextField()
    took_ms = IntegerField()

    class Meta:
        table_name = "callback_try"
        indexes = ((("callback_id",), False),)


class Audit(Model):
    seq = AutoField()
    at_us = BigIntegerField()
    address = CharField(64)
    method = CharField(10)
    path = TextField()
    status = IntegerField()

    class Meta:
        table_name = "audit"


class Errand(Model):
    seq = AutoField()
    name = CharField(40)
    argument = TextField()
    asked_us = BigIntegerField()
    done_us = BigIntegerField(null=True)
    answer = TextField(null=True)

    class Meta:
        table_name = "errand"
        indexes = ((("done_us",), False),)


def up(migrator: Any, database: Any) -> None:
    job_columns = {
        "rank": IntegerField(default=0),
        "callback": TextField(null=True),
        "base_url": TextField(default=""),
        "film": CharField(80, null=True),
    }
    key_columns = {
        "old_digest": CharField(64, null=True),
        "old_until_us": BigIntegerField(null=True),
        "scopes": TextField(default='["submit","read"]'),  # what every key could do before
        "per_minute": IntegerField(null=True),
        "per_day": IntegerField(null=True),
        "max_waiting": IntegerField(null=True),
        "expires_us": BigIntegerField(null=True),
        "used_us": BigIntegerField(null=True),
        "tat_us": BigIntegerField(null=True),
        "day": IntegerField(default=0),
        "day_count": IntegerField(default=0),
        "hook_generation": IntegerField(default=1),
        "hook_old_until_us": BigIntegerField(null=True),
    }
    create_tables(database, [Event, Repeat, Worker, Callback, CallbackTry, Audit, Errand])
    add_columns(database, "job", job_columns)
    # Films were named by their job alone; without this they would be files of nobody.
    database.execute_sql("UPDATE job SET film = id WHERE status = 'done' AND film IS NULL")
    add_columns(database, "key", key_columns)
    add_index(database, "job", ("status", "rank", "seq", "work"))
    add_index(database, "job", ("key_id", "seq"))
    add_index(database, "job", ("key_id", "status", "seq"))
    drop_index(database, "job", ("status", "seq", "work"))  # the first of these does its work
