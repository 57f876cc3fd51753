"""Row 16: whoever publishes is killed at random instants, and the far side takes effect up to two seconds later."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from daemon.jobs import Status
from tests.daemon.workers import eventually
from tests.fakes.facebook import facebook
from tests.faults.processes import dies
from tests.faults.publish_kills import PUBLISHING_POINTS, kill_publishers, publisher, real_outbox

KILLS = 60
NAIVE_KILLS = 15


def test_every_film_is_published_exactly_once(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    report = kill_publishers(KILLS, seed, tmp_path)
    print(report)
    assert report.is_good
    assert report.in_the_order >= KILLS // 4, "too few kills found an order out to prove anything"


def test_who_does_not_ask_publishes_twice(tmp_path: Path) -> None:
    """The test above can fail: the same worker without settle time and probe does."""
    seed = random.randrange(2**32)
    print("seed", seed)
    report = kill_publishers(NAIVE_KILLS, seed, tmp_path, naive=True)
    print(report)
    assert report.twice


@pytest.mark.parametrize("point", PUBLISHING_POINTS)
def test_a_film_is_published_once_whatever_step_it_dies_at(tmp_path: Path, point: str) -> None:
    settings = {"settle_s": 0.3}
    with facebook() as far, real_outbox(tmp_path, far) as box:
        job = box.post()
        if point == "delivery_probed":  # which nobody does before an order is out
            with publisher(tmp_path, url=far.url, fail_at="delivery_sending", **settings) as process:
                dies(process)
        with publisher(tmp_path, url=far.url, fail_at=point, **settings) as process:
            dies(process)
        with publisher(tmp_path, url=far.url, **settings):
            eventually(lambda: box.jobs.get(job.id).status is Status.DONE, "the film is published")
        assert [video.posts for video in far.posts] == [1]
