"""No query of everyday work reads a whole table, or sorts what an index has in order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.accounts.life import Outlook
from daemon.deliveries.life import NewDelivery, State, Step
from daemon.jobs import Failure, Job, Limits, Repeat, Status
from daemon.store.accounts import AccountStore, Found
from daemon.store.database import Database, open_database
from daemon.store.deliveries import DeliveryStore
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.notices import AlertStore
from daemon.store.retention import KeptFilm, RetentionStore
from daemon.store.schedules import NewSchedule, ScheduleStore, Slot, SlotState
from daemon.store.views import JobViews
from tests.daemon.conftest import new_job
from tests.daemon.many_jobs import fill, fill_deliveries, plan, statements

_SCAN = re.compile("^SCAN (?!CONSTANT ROW)", re.MULTILINE)


@pytest.fixture
def full_database(vix_database: Database) -> Database:
    fill(vix_database.path, in_queue=300, done=300, failed=30, cancelled=30)
    fill_deliveries(vix_database.path, done=3_000, waiting=300)
    return vix_database


def claimed(store: JobStore) -> Job:
    job = store.claim("seat.1-ab")
    assert job
    return job


def submit(database: Database) -> object:
    key_id = KeyStore(database, b"pepper").create("a key")[0].id
    limits, repeat = Limits(60, 60, 20), Repeat("word", "a" * 64)
    store = JobStore(database)
    store.submit(new_job(key_id=key_id), limits=limits, repeat=repeat)
    store.submit(new_job(key_id=key_id), limits=limits, repeat=repeat)
    store.remember_answer(key_id, "word", {})
    return store.submit(new_job(key_id=key_id), limits=limits, repeat=repeat)


def work(database: Database) -> object:
    store = JobStore(database)
    job = claimed(store)
    assert store.holds(job.claim)
    store.report(job.claim, stage="render", progress=1)
    assert store.finish(job.claim, {}, film=job.stem)
    store.put_back(claimed(store).claim)
    return store.fail(claimed(store).claim, Failure("a", "b", False))


def change(database: Database) -> object:
    store = JobStore(database)
    store.fail(claimed(store).claim, Failure("a", "b", False))
    failed = JobViews(database).page("key0", statuses=[Status.FAILED], limit=1).jobs[0]
    store.retry(failed.id, "key0")
    return store.cancel(failed.id, "key0")


def tidy(database: Database) -> object:
    store = JobStore(database)
    claimed(store)
    return store.owners_at_work(), store.release_seat("seat"), store.release(["seat.1-ab"])


def status(database: Database) -> object:
    store, views = JobStore(database), JobViews(database)
    job = store.submit(new_job()).job
    events = EventStore(database).after(job.id)
    return views.line(job), views.speeds(50), views.waiting(), views.oldest_waiting_at(), events


def pages(database: Database) -> object:
    views = JobViews(database)
    some = [Status.DONE, Status.IN_QUEUE]
    # Not all jobs of all keys: that is the table itself, read from its end up to the limit.
    asked: list[tuple[str | None, list[Status]]] = [("key1", []), ("key1", some), (None, some)]
    return [
        views.page(key_id, statuses=statuses, limit=20, before=before)
        for key_id, statuses in asked
        for before in (None, 500)
    ]


def prune(database: Database) -> object:
    store, retention = JobStore(database), RetentionStore(database)
    job = claimed(store)
    assert store.finish(job.claim, {}, film=job.stem)
    assert retention.remove_jobs(datetime(1970, 1, 1, 0, 0, 0, 10, tzinfo=UTC)) > 0
    retention.redate(timedelta(days=1), ahead=True)
    films = retention.films(datetime.now(UTC) + timedelta(days=1))
    assert films == [KeptFilm(job.id, job.stem)]
    retention.forget_films(films)
    assert store.get(job.id).film is None
    ids = [job.id]
    retention.adopt(ids)
    return retention.needed_stems(ids), retention.may_run(ids), retention.remove_repeats()


def by_the_clock(database: Database) -> object:
    at = datetime(2026, 3, 4, tzinfo=UTC)
    store = ScheduleStore(database, lambda: at)
    schedules = [store.create(NewSchedule("a", "template", "day", "09:00", "UTC", {}), "key0") for _ in range(3)]
    JobStore(database).submit(new_job(), also=store.ran(schedules[0], at))
    store.did_not_run(schedules[1], [Slot(at, SlotState.MISSED)], at)
    store.replace(schedules[2].id, schedules[0], "key0")
    store.remove(schedules[2].id)
    one = schedules[0].id
    return store.list("key0"), store.enabled(), store.get(one), store.last(one), store.slots(one, at), store.forget(at)


def publish(database: Database) -> object:
    """From the outbox, in which thousands are done and hundreds wait."""
    jobs, outbox, accounts = JobStore(database), DeliveryStore(database), AccountStore(database)
    asked = replace(new_job(), deliveries=(NewDelivery("facebook", "acc_1", {}),))
    for _ in range(2):
        asked_id = jobs.submit(asked).job.id
        job = jobs.claim("seat.1-ab", asked_id)
        assert job
        assert jobs.finish(job.claim, {"clips": []}, film=job.stem)
    taken = outbox.claim_due("seat.1-ab", 300, ("dlv_1",))
    assert taken
    assert outbox.claim_due("seat.1-ab", 300) is None
    kept = outbox.go_on(taken, Step(State.SENDING, {}), 120)
    assert kept
    assert outbox.film_of(kept)
    kept = outbox.go_on(kept, Step(State.ACCEPTED, {}), 120)
    assert kept
    assert outbox.let_go(kept, Step(State.DONE, {}))
    since = datetime.now(UTC) - timedelta(days=1)
    assert len(outbox.sent_since("acc_1", since)) == 1
    assert outbox.shown_clips(["acc_1"], 10) == []
    account = accounts.get("acc_1")
    accounts.looked(account, Found("1", "A", {}, None, None), Outlook(), [])
    accounts.pause("acc_1", since)
    assert accounts.died(accounts.get("acc_1"), "dead", None)
    accounts.connect("acc_1", "facebook", Found("1", "A", {}, None, None))
    return outbox.release_seat("seat"), outbox.tidy(), outbox.page("key1", limit=20)


def sensors(database: Database) -> object:
    """What anybody may ask for, and what is asked for every minute."""
    views, deliveries, at = JobViews(database), DeliveryStore(database), datetime(2026, 3, 4, tzinfo=UTC)
    last = views.page("key1", statuses=[Status.DONE], limit=1)
    shown = deliveries.page("key1", states=[State.UNKNOWN], limit=20, before=500)
    waiting = AlertStore(database, lambda: at).waiting(), ScheduleStore(database).enabled("key1")
    return last, shown, waiting, views.waiting(), views.delivering(), deliveries.count(State.UNKNOWN)


@pytest.mark.parametrize("use", [submit, work, change, tidy, status, pages, prune, by_the_clock, publish, sensors])
def test_nothing_is_scanned(full_database: Database, use: Callable[[Database], object]) -> None:
    with statements(full_database) as seen:
        use(full_database)
    asked = [statement for statement in seen if statement.split()[0] in ("SELECT", "UPDATE", "DELETE")]
    assert len(asked) >= 4
    plans = {statement: plan(full_database, statement) for statement in asked}
    assert {statement: text for statement, text in plans.items() if _SCAN.search(text)} == {}


def test_the_rows_of_films_are_found_by_their_ids(full_database: Database) -> None:
    with statements(full_database) as seen:
        RetentionStore(full_database).forget_films([KeptFilm("job_done1", "job_done1.1")])
    (update,) = [statement for statement in seen if statement.startswith("UPDATE")]
    assert "(id=?)" in plan(full_database, update)


def test_what_is_in_the_way_of_a_delivery_is_found_among_those_that_are_open(full_database: Database) -> None:
    """Not among all that its page has ever published."""
    with statements(full_database) as seen:
        DeliveryStore(full_database).claim_due("seat.1-ab", 300)
    (asked,) = [statement for statement in seen if statement.startswith("SELECT")]
    assert "account_id=? AND state=?" in plan(full_database, asked)


@pytest.mark.parametrize(
    "start",
    [
        'SELECT "t1"."seq" FROM "job" AS "t1" WHERE ("t1"."status" = \'in_queue\') ORDER BY',
        'SELECT "t1"."result" FROM "job"',
        'SELECT "t1"."seq", "t1"."job_id", "t1"."at_us"',
    ],
)
def test_what_an_index_has_in_order_is_not_sorted(full_database: Database, start: str) -> None:
    with statements(full_database) as seen:
        work(full_database)
        status(full_database)
    found = [statement for statement in seen if statement.startswith(start)]
    assert found
    assert [text for statement in found if "TEMP B-TREE" in (text := plan(full_database, statement))] == []


def test_a_submitted_job_is_synced(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vix.db")
    with database.read() as connection:
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2  # FULL: each commit is synced
    database.close()
