"""What is said of a job's end, and to whom: callbacks as they go into the outbox. Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from daemon.describe import Outlook, describe
from daemon.jobs import CallbackTo, Job
from daemon.links import Links, Signing
from daemon.store.callbacks import NewCallback
from daemon.store.keys import OPERATOR
from daemon.strict_json import dump

# A flow that is told of a job's end before it has read the 202, or has saved that it waits, answers 409: n8n does. So
# there is a second in between. The 202 follows the row's own time by what a busy database makes it wait; an older job
# has been answered for sure.
_AFTER_ANSWER = timedelta(seconds=1)
_SURELY_ANSWERED = timedelta(seconds=10)

_ENDED = Outlook(queue_position=None, remaining_s=0.0)

# What the links are signed with that are told at a time; None: there are no signed ones.
Sign = Callable[[datetime], Signing | None]


def _unsigned(at: datetime) -> None:
    return None


def announcer(operator_url: str = "", sign: Sign = _unsigned) -> Callable[[Job], Sequence[NewCallback]]:
    """Make what `JobStore` asks, within the transaction that ends a job, for the callbacks about it: one to the URL
    that the job came with, one to `operator_url` where that is set."""

    def announce(job: Job) -> Sequence[NewCallback]:
        return tuple(_callbacks(job, operator_url, sign))

    return announce


def _callbacks(job: Job, operator_url: str, sign: Sign) -> Iterator[NewCallback]:
    targets = [(job.key_id, job.callback)] if job.callback else []
    if operator_url:
        targets.append((OPERATOR, CallbackTo(operator_url)))
    if not targets:
        return
    if job.finished_at is None:
        raise ValueError(f"{job.id} has not ended")
    body = dump(
        {
            "type": f"job.{job.status}",
            "timestamp": job.finished_at.isoformat(timespec="milliseconds"),
            "data": describe(job, _ENDED, Links(job.base_url, sign(job.finished_at))),
        }
    )
    is_young = job.finished_at - job.created_at < _SURELY_ANSWERED
    not_before = job.finished_at + _AFTER_ANSWER if is_young else job.finished_at
    for key_id, to in targets:
        if to is not None:
            yield NewCallback(
                job_id=job.id,
                key_id=key_id,
                type=f"job.{job.status}",
                url=to.url,
                headers=to.headers,
                body=body,
                created_at=job.finished_at,
                not_before=not_before,
            )
