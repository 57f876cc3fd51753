"""How SQLite goes about the outbox's questions when it is long."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.store.callbacks import State, _due, _lost, _put_off, _waiting
from daemon.store.database import Database
from daemon.store.tables import CallbackRow, utc_now


@pytest.mark.parametrize(
    "query",
    [
        _due("seat.1", utc_now()),
        CallbackRow.select(CallbackRow.next_at).where(_waiting("seat.1")).order_by(CallbackRow.next_at).limit(1),
        CallbackRow.select(CallbackRow.id).where(CallbackRow.ended_at < utc_now()).limit(500),
        CallbackRow.select().where(CallbackRow.job_id == "job_1", CallbackRow.key_id == "key1"),
        CallbackRow.select(CallbackRow.id).where(_lost("seat.1", ["msg_1"], utc_now()) | _put_off(utc_now())).limit(1),
        CallbackRow.select(CallbackRow.id).where(CallbackRow.state == State.READY, CallbackRow.next_at < utc_now()),
    ],
    ids=[
        "what is due",
        "when something is",
        "what ended long ago",
        "what is told of a job",
        "tidying",
        "standing still",
    ],
)
def test_no_table_is_read_from_end_to_end(vix_database: Database, query: Any) -> None:
    with vix_database.read() as connection:
        sql, values = query.sql()
        plan = [row[-1] for row in connection.execute_sql(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
    assert plan
    assert not [step for step in plan if step.startswith("SCAN")], plan
