"""What every target has to hold, whatever goes wrong at whatever moment: published once, and never lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.deliveries.life import Delivery, State
from daemon.errors import UnknownDelivery, WrongState
from daemon.facebook.uploads import Part
from daemon.jobs import Status
from daemon.store.database import Database
from daemon.store.tables import DeliveryRow
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import KEY, LANDSCAPE, REEL, SETTLE_S, Outbox, outbox
from tests.fakes.facebook import Asked, Reply

KINDS: dict[str, dict[str, Any]] = {"reel": REEL, "video": LANDSCAPE}


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


@pytest.fixture(params=KINDS)
def result(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


def is_finish(asked: Asked) -> bool:
    return asked.params.get("upload_phase") == "finish"


def test_a_finished_film_is_published(box: Outbox, result: dict[str, Any]) -> None:
    publish = {"facebook": {"title": "Monday", "description": "A film.", "hashtags": ["#vix", "films"]}}
    job = box.post(publish, result)
    assert job.status is Status.DELIVERING
    box.turns()
    (video,) = box.far.posts
    assert bytes(video.content) == b"film" * 50_000
    assert video.posts == 1
    assert video.is_reel == (result is REEL)
    assert video.fields["title"] == "Monday"
    assert video.fields["description"] == "A film.\n\n#vix #films"
    assert video.cover == b"\xff\xd8cover"
    done = box.jobs.get(job.id)
    assert done.status is Status.DONE
    (delivery,) = done.deliveries
    assert delivery.state is State.DONE
    assert delivery.remote["link"] == f"https://www.facebook.com/{'reel' if video.is_reel else 'watch'}/{video.id}/"
    assert box.types(job)[-4:] == ["delivery.sending", "delivery.accepted", "delivery.done", "job.done"]


def test_an_answer_that_is_lost_is_asked_for_and_not_sent_again(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock
) -> None:
    job = box.post(result=result)
    box.far.drop_answers_of.append("finish")
    box.turns()
    assert box.states(job) == [State.SENDING]
    assert box.turn() is None  # nobody asks before it has had time to take effect
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_an_order_that_never_came_is_given_again(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock
) -> None:
    job = box.post(result=result)
    broken = [Reply(0, "", drop=True)]
    box.far.script = lambda asked: broken.pop() if is_finish(asked) and broken else None
    box.turns()
    assert box.states(job) == [State.SENDING]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_in_the_middle_of_the_order_is_not_believed(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock, status: int
) -> None:
    """It is taken all the same."""
    job = box.post(result=result)

    def script(asked: Asked) -> Reply | None:
        if not is_finish(asked):
            return None
        box.far.script = None
        video = next(iter(box.far.videos.values()))
        box.far._publish(video, asked.params)
        return Reply(status, {"error": {"code": 2, "message": "Service temporarily unavailable", "is_transient": True}})

    box.far.script = script
    box.turns()
    assert box.states(job) == [State.SENDING]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


@pytest.mark.parametrize("took_effect", [False, True])
def test_a_worker_that_died_in_the_order_leaves_it_to_the_next(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock, took_effect: bool
) -> None:
    job = box.post(result=result)
    sent = die_in_send(box)
    if took_effect:
        box.far._publish(box.far.videos[sent.remote["video_id"]], {})
    assert box.states(job) == [State.SENDING]
    assert box.deliveries.release_seat("seat") == 1
    assert box.turn() is None
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def die_in_send(box: Outbox) -> Delivery:
    """Do what a worker does that dies once `sending` is on the disk."""
    broken = [Reply(0, "", drop=True)]
    box.far.script = lambda asked: broken.pop() if is_finish(asked) and broken else None
    delivery = box.turn()
    box.far.script = None
    assert delivery is not None
    assert delivery.state is State.SENDING
    # It had no time to write down that nothing was answered.
    with box.database.write() as connection:
        DeliveryRow.update(owner=box.owner).where(DeliveryRow.id == delivery.id).execute(connection)
    return delivery


def test_what_the_far_side_cannot_tell_waits_for_a_person(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock
) -> None:
    """A video that is not there any more may have been published and removed."""
    job = box.post(result=result)
    sent = die_in_send(box)
    box.deliveries.release_seat("seat")
    del box.far.videos[sent.remote["video_id"]]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.UNKNOWN]
    assert box.jobs.get(job.id).status is Status.DELIVERING
    assert box.alarms() == ["Vix: a film for Page 1 is unknown"]
    movable_clock.move(7 * 86_400)
    assert box.turn() is None
    with pytest.raises(UnknownDelivery):
        box.deliveries.resolve(sent.id, "another", State.DONE)
    box.deliveries.resolve(sent.id, KEY, State.DONE, "https://www.facebook.com/reel/1")
    assert box.jobs.get(job.id).status is Status.DONE
    assert box.jobs.get(job.id).deliveries[0].remote["link"] == "https://www.facebook.com/reel/1"
    with pytest.raises(WrongState, match="delivery"):
        box.deliveries.resolve(sent.id, KEY, State.READY)


def test_what_a_person_has_not_found_is_published_anew(
    box: Outbox, result: dict[str, Any], movable_clock: MovableClock
) -> None:
    job = box.post(result=result)
    sent = die_in_send(box)
    box.deliveries.release_seat("seat")
    del box.far.videos[sent.remote["video_id"]]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    box.deliveries.resolve(sent.id, KEY, State.READY)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_what_a_person_gives_up_ends_the_job(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    sent = die_in_send(box)
    box.deliveries.release_seat("seat")
    del box.far.videos[sent.remote["video_id"]]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    box.deliveries.resolve(sent.id, None, State.FAILED)
    assert box.jobs.get(job.id).status is Status.FAILED


def test_a_far_side_that_cannot_be_asked_is_asked_again(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    die_in_send(box)
    box.deliveries.release_seat("seat")
    box.far.script = lambda asked: Reply(502, "<html>Bad Gateway</html>")
    for _ in range(10):
        movable_clock.move(SETTLE_S + 1)
        box.turns()
    assert box.states(job) == [State.SENDING]
    box.far.script = None
    movable_clock.move(3600)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_an_upload_that_breaks_goes_on_where_it_was(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    box.far.upload_breaks_at = [40_000, 120_000]
    while box.states(job) != [State.DONE]:
        box.turns()
        movable_clock.move(400)
    (video,) = box.far.videos.values()
    assert bytes(video.content) == b"film" * 50_000
    assert len([asked for asked in box.far.asked if asked.path.startswith("/video-upload/")]) == 3


def test_a_chunk_that_is_not_wanted_is_sent_from_where_it_is(box: Outbox) -> None:
    job = box.post(result=LANDSCAPE)
    cut: list[bool] = []

    def script(asked: Asked) -> Reply | None:
        if asked.params.get("upload_phase") == "transfer" and asked.params["start_offset"] != "0" and not cut:
            cut.append(True)
            del next(iter(box.far.videos.values())).content[30_000:]
        return None

    box.far.script = script
    box.turns()
    assert cut
    assert box.states(job) == [State.DONE]
    assert bytes(box.far.posts[0].content) == b"film" * 50_000


def test_a_large_chunk_is_sent_as_it_is_asked_for(box: Outbox) -> None:
    """Facebook has asked for 50 MB at once; it may take nothing but what it asks for."""
    box.far.chunk_bytes = 10 * 2**20
    content = bytes(range(256)) * (12 * 2**20 // 256)
    job = box.make(box.ask(), LANDSCAPE, content)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert bytes(box.far.posts[0].content) == content
    sent = [asked for asked in box.far.asked if asked.params.get("upload_phase") == "transfer"]
    assert [asked.params["start_offset"] for asked in sent] == ["0", str(10 * 2**20)]


def test_a_chunk_that_takes_long_keeps_the_delivery(tmp_path: Path) -> None:
    """With little bandwidth a chunk takes longer than the lease; whoever sends it says that he is alive."""
    kept: list[int] = []
    with Path(os.devnull).open("rb") as file:
        assert Part(file, 0, 0).read(10) == b""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"0123456789" * 100_000)
    with film.open("rb") as file:
        part = Part(file, 5, 900_000, lambda: kept.append(1))
        assert part.seek(0, os.SEEK_END) == 900_000
        assert part.seek(0) == 0
        read = b"".join(iter(lambda: part.read(65_536), b""))
    assert read == film.read_bytes()[5:900_005]
    assert len(kept) >= 13


@pytest.mark.parametrize("spelling", ["bytes_transfered", "bytes_transferred"])
def test_both_spellings_are_read(box: Outbox, movable_clock: MovableClock, spelling: str) -> None:
    box.far.spelling = spelling
    box.far.upload_breaks_at = [100_000]
    job = box.post()
    box.turns()
    movable_clock.move(60)
    box.turns()
    assert box.states(job) == [State.DONE]


def test_processing_is_waited_for(box: Outbox, movable_clock: MovableClock) -> None:
    box.far.processing_s = 60
    job = box.post()
    box.turn()
    assert box.states(job) == [State.ACCEPTED]
    for _ in range(100):
        movable_clock.move(1)
        box.turns()
        if box.states(job) == [State.DONE]:
            break
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_an_order_that_is_being_worked_on_is_not_given_again(box: Outbox, movable_clock: MovableClock) -> None:
    """Facebook says that publishing has not begun, as long as it processes the film."""
    box.far.processing_s = 600
    job = box.post()
    box.far.drop_answers_of.append("finish")
    box.turns()
    while box.states(job) != [State.DONE]:
        movable_clock.move(61)
        box.turns()
    assert [video.posts for video in box.far.posts] == [1]


def test_a_film_that_cannot_be_processed_fails_with_the_reason(box: Outbox) -> None:
    job = box.post()
    box.far.fails = "Codec not supported"
    box.turns()
    done = box.jobs.get(job.id)
    assert done.status is Status.FAILED
    assert done.error is not None
    assert done.error.code == "delivery_failed"
    assert "Codec not supported" in done.error.message
    assert box.alarms() == ["Vix: a film for Page 1 is failed"]


def test_a_failed_delivery_goes_out_again_without_a_new_film(box: Outbox) -> None:
    job = box.post()
    box.far.script = lambda asked: (
        Reply(400, {"error": {"code": 100, "message": "Invalid parameter"}}) if is_finish(asked) else None
    )
    box.turns()
    assert box.jobs.get(job.id).status is Status.FAILED
    box.far.script = None
    assert box.jobs.retry(job.id).status is Status.DELIVERING
    box.turns()
    done = box.jobs.get(job.id)
    assert (done.status, done.error, done.attempt) == (Status.DONE, None, 1)
    assert [video.posts for video in box.far.posts] == [1]


def test_a_job_that_is_cancelled_is_not_published(box: Outbox) -> None:
    job = box.post()
    assert box.jobs.cancel(job.id).status is Status.CANCELLED
    assert box.states(job) == [State.CANCELLED]
    assert box.turn() is None


def test_a_job_that_is_cancelled_while_nobody_knows_is_not_sent_again(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()
    die_in_send(box)
    box.deliveries.release_seat("seat")
    box.jobs.cancel(job.id)
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.CANCELLED]
    assert box.far.posts == []


def test_several_pages_each_get_one(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> None:
    with outbox(vix_database, movable_clock, tmp_path, pages=3) as box:
        job = box.post({"facebook": [{"page": f"page {n}", "title": str(n)} for n in (1, 2, 3)]})
        box.turns()
        assert box.jobs.get(job.id).status is Status.DONE
        assert sorted((box.far.pages[v.page].name, v.fields["title"]) for v in box.far.posts) == [
            ("Page 1", "1"), ("Page 2", "2"), ("Page 3", "3")
        ]  # fmt: skip


def test_posts_of_a_page_go_out_in_the_order_in_which_they_are_due(box: Outbox, movable_clock: MovableClock) -> None:
    """Also where the first of them has a setback."""
    jobs = [box.post({"facebook": {"title": str(number)}}) for number in range(3)]
    broken = [Reply(503, "busy"), Reply(503, "busy")]
    box.far.script = lambda asked: broken.pop() if asked.params.get("upload_phase") == "start" and broken else None
    for _ in range(30):
        box.turns()
        movable_clock.move(60)
    assert [box.states(job) for job in jobs] == [[State.DONE]] * 3
    assert [video.fields["title"] for video in box.far.posts] == ["0", "1", "2"]


def test_one_at_a_time_of_a_page(box: Outbox) -> None:
    box.post()
    box.post()
    assert box.dispatch.claim() is not None
    assert box.dispatch.claim() is None


def test_a_time_is_kept(box: Outbox, movable_clock: MovableClock) -> None:
    at = (movable_clock() + timedelta(hours=5)).isoformat(timespec="seconds")
    job = box.post({"facebook": {"at": at}})
    assert box.turn() is None
    movable_clock.move(5 * 3600 - 60)
    assert box.turn() is None
    movable_clock.move(60)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert box.far.posts[0].fields["video_state"] == "PUBLISHED"


def test_facebook_waits_itself_where_it_is_asked_to(box: Outbox, movable_clock: MovableClock) -> None:
    at = (movable_clock() + timedelta(hours=5)).replace(microsecond=0)
    job = box.post({"facebook": {"at": at.isoformat(), "scheduled_by": "facebook"}})
    box.turns()
    assert box.states(job) == [State.DONE]
    assert box.far.posts[0].fields["video_state"] == "SCHEDULED"
    assert int(box.far.posts[0].fields["scheduled_publish_time"]) == int(at.timestamp())


def test_a_draft_stays_one(box: Outbox, result: dict[str, Any]) -> None:
    box.post({"facebook": {"state": "draft"}}, result)
    box.turns()
    assert [video.state for video in box.far.posts] == ["DRAFT"]


def test_captions_are_sent_along(box: Outbox) -> None:
    srt = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"
    box.post({"facebook": {"captions": {"srt": srt, "locale": "de_DE"}}})
    box.turns()
    assert box.far.posts[0].captions == {"captions.de_DE.srt": srt.encode()}


def test_a_film_without_its_cover_is_published_all_the_same(box: Outbox) -> None:
    job = box.post()
    box.far.script = lambda asked: (
        Reply(400, {"error": {"code": 100, "message": "Bad picture"}}) if asked.path.endswith("/thumbnails") else None
    )
    box.turns()
    (delivery,) = box.jobs.get(job.id).deliveries
    assert delivery.state is State.DONE
    assert delivery.warnings == ("published without its cover: Facebook: Bad picture",)


def test_a_lease_that_is_over_is_taken_and_the_one_who_slept_writes_nothing(
    box: Outbox, movable_clock: MovableClock
) -> None:
    job = box.post()
    slept = box.dispatch.claim()
    assert slept is not None
    movable_clock.move(3600)
    other = box.dispatch_of("seat.2-2")
    taken = other.claim()
    assert taken is not None
    box.dispatch.step(slept)
    assert box.far.posts == []
    other.step(taken)
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]
