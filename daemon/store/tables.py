"""The tables as they are now, and the way of values into and out of their columns.

Times are whole microseconds since 1970; JSON is plain ASCII, so that no text can be one that SQLite refuses.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from peewee import AutoField, BigIntegerField, FloatField, IntegerField, Model, TextField

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TimeField(BigIntegerField):
    """An aware datetime."""

    def db_value(self, value: datetime | None) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def python_value(self, value: int | None) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class JsonField(TextField):
    """Any JSON value; a missing one is NULL where the column allows it."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None and self.null else json.dumps(value, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class JobRow(Model):
    """`seq` is the order of arrival. `attempt` counts claims and is never taken back, as it is part of the fence;
    `put_backs` are those that count for nothing. `started_at` is the first claim, `claimed_at` the last."""

    seq = AutoField()
    id = TextField(unique=True)
    kind = TextField()
    spec = JsonField()
    seed = BigIntegerField()
    key_id = TextField()
    client_data = JsonField()
    film_s = FloatField()
    work = FloatField()
    status = TextField()
    stage = TextField(default="")
    progress = IntegerField(default=0)
    attempt = IntegerField(default=0)
    put_backs = IntegerField(default=0)
    owner = TextField(null=True)
    error = JsonField(null=True)
    result = JsonField(null=True)
    warnings = JsonField(default=list)
    created_at = TimeField(column_name="created_us")
    claimed_at = TimeField(column_name="claimed_us", null=True)
    started_at = TimeField(column_name="started_us", null=True)
    finished_at = TimeField(column_name="finished_us", null=True)

    class Meta:
        table_name = "job"


class KeyRow(Model):
    """`digest` is the HMAC-SHA256 of the secret, as hex."""

    id = TextField(primary_key=True)
    name = TextField()
    digest = TextField()
    created_at = TimeField(column_name="created_us")
    revoked_at = TimeField(column_name="revoked_us", null=True)

    class Meta:
        table_name = "key"


def utc_now() -> datetime:
    """The clock of the store where nobody hands in another."""
    return datetime.now(UTC)
