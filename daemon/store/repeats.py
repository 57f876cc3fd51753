"""Idempotency keys: which job a request that comes again has already made. Parts of the store's transactions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from daemon.errors import RepeatMismatch
from daemon.jobs import Repeat
from daemon.store.tables import JobRow, RepeatRow

COUNTS_FOR = timedelta(hours=24)


def find(connection: Any, key_id: str, repeat: Repeat, now: datetime) -> tuple[Any, dict[str, Any] | None] | None:
    """Find the row of the job that this request has made, and what it was answered, if that is known; None where the
    request is new. A clock that goes back makes nothing new.

    Raises:
        RepeatMismatch: it was another request.
    """
    query = RepeatRow.select().where(*_same(key_id, repeat.word))
    for row in list(query.execute(connection)):
        jobs = list(JobRow.select().where(JobRow.id == row.job_id).execute(connection))
        if not jobs or row.created_at <= now - COUNTS_FOR:
            return None
        if row.body_hash != repeat.body_hash:
            raise RepeatMismatch
        return jobs[0], row.answer
    return None


def insert(connection: Any, key_id: str, repeat: Repeat, job_id: str, now: datetime) -> None:
    """Write down which job a request makes, where `find` has found none; what no longer counts makes room."""
    RepeatRow.delete().where(*_same(key_id, repeat.word)).execute(connection)
    RepeatRow.insert(
        key_id=key_id, word=repeat.word, body_hash=repeat.body_hash, job_id=job_id, created_at=now
    ).execute(connection)


def remember_answer(connection: Any, key_id: str, word: str, answer: dict[str, Any]) -> None:
    """Keep what a request was answered; the first answer stays."""
    query = RepeatRow.update(answer=answer).where(*_same(key_id, word), RepeatRow.answer.is_null())
    query.execute(connection)


def _same(key_id: str, word: str) -> tuple[Any, Any]:
    return RepeatRow.key_id == key_id, RepeatRow.word == word
