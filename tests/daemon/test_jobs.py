from __future__ import annotations

import re

import pytest

from daemon.jobs import NEXT, Claim, Job, Status, new_id, sources
from daemon.store.jobs import JobStore
from tests.daemon.conftest import new_job


def test_ids_are_of_the_public_form_and_do_not_repeat() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"job_[a-z0-9]{20}", job_id) for job_id in ids)


def test_every_status_has_its_ways_on() -> None:
    assert set(NEXT) == set(Status)


@pytest.mark.parametrize("status", Status)
def test_a_final_status_is_left_only_for_another_try(status: Status) -> None:
    again = {Status.IN_QUEUE, Status.DELIVERING} if status is Status.FAILED else {Status.IN_QUEUE}
    assert status.is_final == (NEXT[status] <= again)


def test_every_status_can_be_reached_from_the_queue() -> None:
    reached, added = {Status.IN_QUEUE}, True
    while added:
        following = reached.union(*(NEXT[status] for status in reached))
        added, reached = following != reached, following
    assert reached == set(Status)


def test_sources_turn_the_table_around() -> None:
    assert set(sources(Status.DONE)) == {Status.RENDERING, Status.DELIVERING}
    assert sources(Status.RENDERING) == (Status.IN_QUEUE,)


def test_a_status_is_its_public_word() -> None:
    assert [str(status) for status in Status] == ["in_queue", "rendering", "delivering", "done", "failed", "cancelled"]


def test_only_a_claimed_job_has_a_claim(job_store: JobStore) -> None:
    waiting = job_store.submit(new_job()).job
    with pytest.raises(ValueError, match="claimed by nobody"):
        _ = waiting.claim
    claimed = job_store.claim("me")
    assert isinstance(claimed, Job)
    assert claimed.claim == Claim(waiting.id, 1, "me")
