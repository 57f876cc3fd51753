"""The tables as they are now, and the way of values into and out of their columns.

Times are whole microseconds since 1970; JSON is plain ASCII, so that no text can be one that SQLite refuses.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    FloatField,
    IntegerField,
    Model,
    TextField,
)

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
    """`seq` is the order of arrival; `rank`, the negative priority, comes before it. `attempt` counts claims and is
    never taken back, as it is part of the fence; `put_backs` are those that count for nothing. `started_at` is the
    first claim, `claimed_at` the last. `film` is the stem of the finished files, as long as they are kept."""

    seq = AutoField()
    id = CharField(40, unique=True)
    kind = CharField(40)
    spec = JsonField()
    seed = BigIntegerField()
    key_id = CharField(40)
    client_data = JsonField()
    film_s = FloatField()
    work = FloatField()
    status = CharField(20)
    stage = CharField(40, default="")
    progress = IntegerField(default=0)
    attempt = IntegerField(default=0)
    put_backs = IntegerField(default=0)
    owner = CharField(80, null=True)
    error = JsonField(null=True)
    result = JsonField(null=True)
    warnings = JsonField(default=list)
    rank = IntegerField(default=0)
    callback = JsonField(null=True)
    base_url = TextField(default="")
    film = CharField(80, null=True)
    created_at = TimeField(column_name="created_us")
    claimed_at = TimeField(column_name="claimed_us", null=True)
    started_at = TimeField(column_name="started_us", null=True)
    finished_at = TimeField(column_name="finished_us", null=True)

    class Meta:
        table_name = "job"


class EventRow(Model):
    """What happened to jobs, in order."""

    seq = AutoField()
    job_id = CharField(40)
    at = TimeField(column_name="at_us")
    type = CharField(40)
    level = CharField(10)
    message = TextField()
    payload = JsonField(default=dict)

    class Meta:
        table_name = "event"


class RepeatRow(Model):
    """Idempotency keys. `answer` is what the first request was answered, once that is known."""

    key_id = CharField(40)
    word = CharField(255)
    body_hash = CharField(64)
    job_id = CharField(40)
    answer = JsonField(null=True)
    created_at = TimeField(column_name="created_us")

    class Meta:
        table_name = "repeat"
        primary_key = CompositeKey("key_id", "word")


class WorkerRow(Model):
    """Workers that run or ran lately. `beats` grows while one lives; whoever sees it stand still knows."""

    id = CharField(80, primary_key=True)
    about = JsonField()
    job_id = CharField(40, null=True)
    beats = BigIntegerField(default=0)
    started_at = TimeField(column_name="started_us")
    seen_at = TimeField(column_name="seen_us")

    class Meta:
        table_name = "worker"


class KeyRow(Model):
    """`digest` is the HMAC-SHA256 of the secret, as hex; `old_digest` is the secret's before it, good until
    `old_until`. A limit of None is the service's own. `tat_at` is the theoretical arrival time of the next request
    (GCRA); `day` counts days since 1970 in UTC, `day_count` the jobs of that day."""

    id = CharField(40, primary_key=True)
    name = TextField()
    digest = CharField(64)
    old_digest = CharField(64, null=True)
    old_until = TimeField(column_name="old_until_us", null=True)
    scopes = JsonField(default=list)
    per_minute = IntegerField(null=True)
    per_day = IntegerField(null=True)
    max_waiting = IntegerField(null=True)
    created_at = TimeField(column_name="created_us")
    expires_at = TimeField(column_name="expires_us", null=True)
    revoked_at = TimeField(column_name="revoked_us", null=True)
    used_at = TimeField(column_name="used_us", null=True)
    tat_at = TimeField(column_name="tat_us", null=True)
    day = IntegerField(default=0)
    day_count = IntegerField(default=0)
    publish = JsonField(null=True)
    hook_generation = IntegerField(default=1)
    hook_old_until = TimeField(column_name="hook_old_until_us", null=True)

    class Meta:
        table_name = "key"


class CallbackRow(Model):
    """The outbox of callbacks. `id` is what the receiver knows it by, constant over all tries; `body` is sent byte for
    byte. `host` is the URL's host and port, which has one try at a time. `next_at` is when it is due, or, while it is
    being sent, when it counts as lost with its sender."""

    id = CharField(40, primary_key=True)
    job_id = CharField(40, null=True)
    key_id = CharField(40)
    type = CharField(40)
    host = CharField(255)
    url = TextField()
    headers = JsonField(default=dict)
    body = TextField()
    state = CharField(20)
    tries = IntegerField(default=0)
    owner = CharField(80, null=True)
    next_at = TimeField(column_name="next_us")
    first_try_at = TimeField(column_name="first_try_us", null=True)
    created_at = TimeField(column_name="created_us")
    ended_at = TimeField(column_name="ended_us", null=True)

    class Meta:
        table_name = "callback"


class CallbackTryRow(Model):
    """One attempt to deliver a callback: the answer's status, or what went wrong."""

    seq = AutoField()
    callback_id = CharField(40)
    at = TimeField(column_name="at_us")
    status = IntegerField(null=True)
    message = TextField()
    took_ms = IntegerField()

    class Meta:
        table_name = "callback_try"


class AuditRow(Model):
    """Admin calls."""

    seq = AutoField()
    at = TimeField(column_name="at_us")
    address = CharField(64)
    method = CharField(10)
    path = TextField()
    status = IntegerField()

    class Meta:
        table_name = "audit"


class ErrandRow(Model):
    """What an operator asks the worker to do between two films; `answer` is there once it is done."""

    seq = AutoField()
    name = CharField(40)
    argument = TextField(default="")
    asked_at = TimeField(column_name="asked_us")
    done_at = TimeField(column_name="done_us", null=True)
    answer = JsonField(null=True)

    class Meta:
        table_name = "errand"


class ScheduleRow(Model):
    """Films that are asked for by the clock. `turn` counts runs; all slots up to `looked_until` were dealt with, and it
    only grows while the schedule stays as it is."""

    seq = AutoField()
    id = CharField(40, unique=True)
    key_id = CharField(40)
    name = TextField()
    kind = CharField(40)
    every = JsonField()
    at = JsonField()
    timezone = CharField(80)
    spec = JsonField()
    base_url = TextField(default="")
    enabled = BooleanField(default=True)
    lead_min = IntegerField(default=0)
    turn = IntegerField(default=0)
    looked_until = TimeField(column_name="looked_until_us")
    created_at = TimeField(column_name="created_us")
    updated_at = TimeField(column_name="updated_us")

    class Meta:
        table_name = "schedule"


class SlotRow(Model):
    """What came of one slot of a schedule; `at` is the time that it is for, also where it was late or made ahead."""

    seq = AutoField()
    schedule_id = CharField(40)
    at = TimeField(column_name="at_us")
    state = CharField(20)
    job_id = CharField(40, null=True)
    message = TextField(default="")

    class Meta:
        table_name = "slot"


class AccountRow(Model):
    """Whose page films are published on. `remote_id` is what the far side calls it. `problem` is why it cannot be
    used, `warning` what will come of it if nobody acts. `told` are the warnings that were given about its present
    token; `paused_until` is how long the far side wants to be left alone. Secrets are in the vault, under the same
    id."""

    id = CharField(40, primary_key=True)
    kind = CharField(20)
    remote_id = CharField(80)
    name = TextField()
    state = CharField(20)
    problem = TextField(default="")
    warning = TextField(default="")
    about = JsonField(default=dict)
    told = JsonField(default=list)
    expires_at = TimeField(column_name="expires_us", null=True)
    data_until = TimeField(column_name="data_until_us", null=True)
    paused_until = TimeField(column_name="paused_until_us", null=True)
    checked_at = TimeField(column_name="checked_us", null=True)
    connected_at = TimeField(column_name="connected_us")

    class Meta:
        table_name = "account"


class VaultRow(Model):
    """Secrets, encrypted; the id is inside once more."""

    id = CharField(60, primary_key=True)
    sealed = TextField()
    sealed_at = TimeField(column_name="sealed_us")

    class Meta:
        table_name = "vault"


class DeliveryRow(Model):
    """What is to be published, where, and what came of it: see `daemon.deliveries.life.Delivery`. `sent_claim` is the
    claim under which the order to publish went out last; a later one only asks what came of it."""

    seq = AutoField()
    id = CharField(40, unique=True)
    job_id = CharField(40)
    key_id = CharField(40)
    target = CharField(20)
    account_id = CharField(40)
    state = CharField(20)
    spec = JsonField()
    remote = JsonField(default=dict)
    tries = IntegerField(default=0)
    orders = IntegerField(default=0)
    claims = IntegerField(default=0)
    owner = CharField(80, null=True)
    due_at = TimeField(column_name="due_us")
    next_at = TimeField(column_name="next_us")
    sent_at = TimeField(column_name="sent_us", null=True)
    sent_claim = IntegerField(default=0)
    error = JsonField(null=True)
    warnings = JsonField(default=list)
    created_at = TimeField(column_name="created_us")
    ended_at = TimeField(column_name="ended_us", null=True)

    class Meta:
        table_name = "delivery"


class AlertRow(Model):
    """What an operator is to be told through channels of his own; `done_at` is when he was, or it was given up."""

    seq = AutoField()
    subject = TextField()
    body = TextField()
    tries = IntegerField(default=0)
    next_at = TimeField(column_name="next_us")
    created_at = TimeField(column_name="created_us")
    done_at = TimeField(column_name="done_us", null=True)

    class Meta:
        table_name = "alert"


def utc_now() -> datetime:
    """The clock of the store where nobody hands in another."""
    return datetime.now(UTC)
