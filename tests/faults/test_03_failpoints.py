"""Row 3: kill -9 at every step that has a name. Whatever was promised before holds afterwards, and nothing happens
twice. Every name in the list is the business of one test here, or of row 2."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from daemon.failpoints import POINTS
from daemon.films import Films
from daemon.jobs import Failure, Job, NewJob, Status
from daemon.store.callbacks import CallbackStore, NewCallback, State
from daemon.store.database import Database, open_database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.tables import utc_now
from daemon.store.views import JobViews
from tests.daemon.clockwork import SHORT, clockwork
from tests.daemon.material import make_library
from tests.daemon.web.house import PEPPER
from tests.daemon.workers import eventually, is_rendering, submit, worker
from tests.fakes.n8n import N8n
from tests.faults.processes import api, dies, run_script, script_dies
from tests.faults.publish_kills import PUBLISHING_POINTS
from tests.faults.test_31_backups import BACKUP_POINTS, RESTORE_POINTS

SUBMITTING = {"submit_before_commit", "submit_committed", "ring_done"}  # row 2
MAKING = {"prepare_done", "render_begun", "render_half", "film_made", "film_published", "thumbnail_made"}
WRITING = {"claim_committed", "finish_before_commit", "finish_committed", "fail_committed"}
RETURNING = {"put_back_committed", "reconcile_committed"}
ASKING = {"cancel_committed", "retry_committed"}
CALLING = {"callback_claimed", "callback_sent", "callback_written"}
PRUNING = {"prune_before_files", "prune_files_gone", "prune_done"}
BY_THE_CLOCK = {"slot_committed"}
PUBLISHING = set(PUBLISHING_POINTS)  # in test_16_publish_kills.py
BACKUPS = {*BACKUP_POINTS, *RESTORE_POINTS}  # in test_31_backups.py
OTHERS = {"key_rotated", "migration_done"}


def test_every_point_has_its_test() -> None:
    groups = [
        SUBMITTING,
        MAKING,
        WRITING,
        RETURNING,
        ASKING,
        CALLING,
        PRUNING,
        BY_THE_CLOCK,
        PUBLISHING,
        BACKUPS,
        OTHERS,
    ]
    assert sorted(name for group in groups for name in group) == sorted(POINTS)


def ends(database: Database, data: Path, job: Job) -> Job:
    """Let another worker end a job, and see that the database and all folders are in order."""
    store = JobStore(database)
    with worker(data, **extra(data)):
        eventually(lambda: store.get(job.id).status.is_final, "the job ends")
    with closing(sqlite3.connect(data / "vix.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    found = store.get(job.id)
    events = [event.type for event in EventStore(database).after(job.id)]
    assert events.count(f"job.{found.status}") == 1
    assert not list((data / "work").glob("*"))
    return found


def extra(data: Path) -> dict[str, Any]:
    library = data.parent / "library"
    return {"library": str(library)} if library.exists() else {}


def films(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "films").iterdir())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def database(data: Path) -> Iterator[Database]:
    database = open_database(data / "vix.db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("failpoints") / "library")


@pytest.mark.parametrize("point", sorted(MAKING))
def test_while_a_film_is_made(data: Path, database: Database, store: JobStore, library: Path, point: str) -> None:
    (data.parent / "library").symlink_to(library)
    spec = {"video": {"duration": 1, "style": "rain"}, "output": {"width": 128, "height": 128, "quality": "draft"}}
    job = store.submit(NewJob("template", spec, 7, "key1", film_s=1)).job
    with worker(data, fail_at=point, **extra(data)) as process:
        dies(process)
    assert store.get(job.id).status is Status.RENDERING
    found = ends(database, data, job)
    assert (found.status, found.attempt, found.error) == (Status.DONE, 2, None)
    assert {f"{found.film}.jpg", f"{found.film}.mp4"} <= set(films(data))
    with worker(data, **extra(data)):  # pruning at its start finds what the dead attempt has published
        eventually(lambda: len(films(data)) == 2, "nothing but the film and its thumbnail is left")


@pytest.mark.parametrize("point", sorted(WRITING))
def test_while_a_job_is_written_down(data: Path, database: Database, store: JobStore, point: str) -> None:
    fails = point == "fail_committed"
    job = submit(store, 0.01, **({"fails": True} if fails else {}))
    with worker(data, fail_at=point) as process:
        dies(process)
    committed = point in ("finish_committed", "fail_committed")
    before = store.get(job.id)
    assert before.status.is_final == committed
    found = ends(database, data, job)
    assert found.status is (Status.FAILED if fails else Status.DONE)
    assert found.attempt == (1 if committed else 2), "what is written down is not made again"
    assert films(data) == ([] if fails else [f"{found.film}.mp4"])


def test_while_a_job_is_put_back(data: Path, database: Database, store: JobStore) -> None:
    job = submit(store, 3)
    with worker(data, fail_at="put_back_committed", stop_s=0) as process:
        eventually(lambda: is_rendering(store, job), "the film is being made")
        process.send_signal(signal.SIGTERM)
        dies(process)
    assert store.get(job.id).status is Status.IN_QUEUE
    assert ends(database, data, job).status is Status.DONE


def test_while_orphans_are_put_back(data: Path, database: Database, store: JobStore) -> None:
    job = submit(store, 1)
    with worker(data) as process:
        eventually(lambda: is_rendering(store, job), "the film is being made")
        process.kill()
    with worker(data, fail_at="reconcile_committed") as process:
        dies(process)
    assert store.get(job.id).status is Status.IN_QUEUE
    found = ends(database, data, job)
    assert (found.status, found.attempt) == (Status.DONE, 2)


@pytest.mark.parametrize("point", sorted(ASKING))
def test_while_a_client_changes_a_job(data: Path, database: Database, store: JobStore, point: str) -> None:
    key, secret = KeyStore(database, PEPPER).create("test")
    job = store.submit(NewJob("template", {"seconds": 0.01}, 1, key.id, film_s=1)).job
    what = point.partition("_")[0]
    if what == "retry":
        claimed = store.claim("seat.1-a")
        assert claimed
        store.fail(claimed.claim, Failure("internal", "It failed.", permanent=False))
    with api(data, point) as (process, url):
        with pytest.raises(httpx2.TransportError):
            httpx2.post(f"{url}/v1/jobs/{job.id}/{what}", headers={"X-Api-Key": secret}, timeout=60, trust_env=False)
        dies(process)
    found = ends(database, data, job)
    assert found.status is (Status.CANCELLED if what == "cancel" else Status.DONE)


COURIER = """
import base64
from daemon.outbound.addresses import Guard
from daemon.callbacks.post import Post
from daemon.outbound.client import Outbound
from daemon.store.callbacks import CallbackStore
from daemon.store.database import open_database
store = CallbackStore(open_database(sys.argv[1]))
secret = "whsec_" + base64.b64encode(bytes(32)).decode()
store.release_seat("seat")
post = Post(store, Outbound(Guard(["127.0.0.1"])), lambda key_id: [secret], "seat.1-" + sys.argv[2])
callback = post.claim()
if callback:
    post.record(callback, post.send(callback))
"""


@pytest.mark.parametrize("point", sorted(CALLING))
def test_while_a_callback_is_sent(data: Path, database: Database, store: JobStore, point: str) -> None:
    receiver = N8n()
    receiver.start()
    now = utc_now()
    told = NewCallback(None, "key1", "job.done", f"{receiver.url}/hook", {}, "{}", now, now)
    announcing = JobStore(database, announce=lambda job: [told])
    submit(announcing, 0.01)
    job = announcing.claim("seat.1-a")
    assert job
    assert announcing.finish(job.claim, {})
    path = str(data / "vix.db")
    script_dies(COURIER, point, path, "a")
    assert len(receiver.heard) == (0 if point == "callback_claimed" else 1)
    run_script(COURIER, path, "b")
    receiver.stop()
    counts = CallbackStore(database).counts()
    assert counts[State.DONE] == 1, "it is told at least once"
    assert len(receiver.heard) == (2 if point == "callback_sent" else 1)
    assert len({one.headers["webhook-id"] for one in receiver.heard}) == 1, "and the receiver can tell a repetition"


@pytest.mark.parametrize("point", sorted(PRUNING))
def test_while_films_are_removed(data: Path, database: Database, store: JobStore, point: str) -> None:
    folder = Films(data / "films")
    folder.folder.mkdir()
    long_ago = JobStore(database, clock=lambda: utc_now() - timedelta(days=1000))
    submit(long_ago, 0.01)
    job = long_ago.claim("seat.1-a")
    assert job
    folder.path(job.stem, "mp4").write_text("film")
    assert long_ago.finish(job.claim, {}, film=job.stem)
    with worker(data, fail_at=point) as process:
        dies(process)
    gone = not folder.path(job.stem, "mp4").exists()
    assert gone == (point != "prune_before_files")
    with worker(data):
        eventually(lambda: not films(data), "the film is gone")
        eventually(lambda: not JobViews(database).counts()[Status.DONE], "and so is its row")


SLOTS = """
from datetime import datetime
from pathlib import Path
from tests.daemon.clockwork import clockwork
with clockwork(Path(sys.argv[1]), lambda: datetime.fromisoformat(sys.argv[2])) as works:
    works.timetable.run_due()
"""


@pytest.mark.parametrize("point", ["submit_before_commit", *sorted(BY_THE_CLOCK)])
def test_while_a_slot_is_run(data: Path, point: str) -> None:
    """Again and again in the middle, for a schedule of three days: each slot has one job, in its turn."""
    days = [datetime(2026, 3, day, 9, tzinfo=UTC) for day in (4, 5, 6)]
    spec = {**SHORT, "text_overlays": [{"text": "{{n}}"}], "variables": {"n": ["a", "b", "c"]}}
    with clockwork(data, lambda: days[0] - timedelta(hours=1)) as works:
        schedule = works.add(works.key(), spec=spec)
    for day in days:
        script_dies(SLOTS, point, data, day)
        if point == "submit_before_commit":  # nothing was written, so that it dies of the same again
            script_dies(SLOTS, point, data, day)
        run_script(SLOTS, data, day)
        run_script(SLOTS, data, day)
    with clockwork(data, lambda: days[-1]) as works:
        slots = works.slots(schedule)
        assert [(slot.at, slot.state) for slot in slots] == [(day, "ran") for day in days]
        assert works.again(schedule).turn == 3
        waiting = [job_id for job_id, _ in works.stores.jobs.upcoming(9)]
        assert waiting == [slot.job_id for slot in slots]
        assert [one["variables"]["n"] for one in works.specs()] == ["a", "b", "c"]


def test_while_a_key_is_rotated(data: Path, database: Database, store: JobStore) -> None:
    keys = KeyStore(database, PEPPER)
    key, secret = keys.create("test")
    script = (
        "from datetime import timedelta\nfrom daemon.store.database import open_database\n"
        "from daemon.store.keys import KeyStore\n"
        f"KeyStore(open_database(sys.argv[1]), {PEPPER!r}).rotate(sys.argv[2], timedelta(hours=1))"
    )
    script_dies(script, "key_rotated", data / "vix.db", key.id)
    assert keys.verify(secret).id == key.id, "the new secret was never shown; the old one still opens"


def test_while_tables_are_made(data: Path) -> None:
    script = "from daemon.store.database import open_database\nopen_database(sys.argv[1])"
    script_dies(script, "migration_done", data / "other.db")
    database = open_database(data / "other.db")
    assert submit(JobStore(database), 1).status is Status.IN_QUEUE
    database.close()
