"""What goes and what stays: films, strays, prepared jobs and rows, on a real database and a clock that tests move."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.errors import DatabaseBusy, UnknownJob
from daemon.films import Films
from daemon.jobs import Job
from daemon.prepared import PreparedFiles
from daemon.retention import Pruned, Retention, Steps
from daemon.store.callbacks import CallbackStore, NewCallback, Outcome, State, Try
from daemon.store.database import Database
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.retention import RetentionStore
from tests.daemon.conftest import MovableClock, every_database, new_job

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass
class Shop:
    """A service without processes: jobs are made and finished by hand."""

    jobs: JobStore
    retention: Retention
    clock: MovableClock

    @property
    def films(self) -> Films:
        return self.retention.films

    def made(self, size: int = 1000) -> Job:
        """A job that is done, with a film of so many bytes and a thumbnail of 10."""
        job = self.begun()
        for suffix, count in (("mp4", size), ("jpg", 10)):
            self.put(f"{job.stem}.{suffix}", count)
        assert self.jobs.finish(job.claim, {}, film=job.stem)
        return self.jobs.get(job.id)

    def begun(self) -> Job:
        self.jobs.submit(new_job())
        job = self.jobs.claim("seat.1-a")
        assert job
        return job

    def put(self, name: str, size: int = 10) -> Path:
        """A file in the folder of films, as old as the clock says."""
        self.films.folder.mkdir(exist_ok=True)
        path = self.films.folder / name
        path.write_bytes(b"x" * size)
        os.utime(path, (self.clock().timestamp(),) * 2)
        return path

    def names(self) -> list[str]:
        return sorted(path.name for path in self.films.folder.iterdir())


def shop_on(database: Database, folder: Path, clock: MovableClock, told: bool = False) -> Shop:
    def announce(job: Job) -> Sequence[NewCallback]:
        new = NewCallback(job.id, "key1", "job.done", "https://example.com/", {}, "{}", clock(), clock())
        return [new] if told else []

    retention = Retention(
        RetentionStore(database, clock),
        Films(folder / "films"),
        PreparedFiles(folder / "prepared"),
        keep_films=timedelta(days=7),
        keep_jobs=timedelta(days=90),
        steps=Steps(clock.uptime_s),
    )
    return Shop(JobStore(database, clock, announce), retention, clock)


@pytest.fixture
def shop(vix_database: Database, tmp_path: Path, movable_clock: MovableClock) -> Shop:
    return shop_on(vix_database, tmp_path, movable_clock)


def stick(shop: Shop, job: Job) -> None:
    """Put something in the place of a film that cannot be removed as a file, not even by root."""
    film = shop.films.path(str(job.film), "mp4")
    film.unlink()
    film.mkdir()


@every_database
class TestPruning:
    def test_a_film_goes_after_its_time_and_its_job_stays(self, shop: Shop) -> None:
        old = shop.made()
        shop.clock.move(3 * DAY)
        young = shop.made()
        assert shop.retention.prune() == Pruned()
        shop.clock.move(4 * DAY + 1)
        assert shop.retention.prune() == Pruned(films=1, film_bytes=1010)
        assert shop.names() == [f"{young.film}.jpg", f"{young.film}.mp4"]
        assert shop.jobs.get(old.id).film is None
        assert shop.jobs.get(old.id).result == {}
        assert shop.jobs.get(young.id).film == young.film
        assert shop.retention.prune() == Pruned()

    def test_a_dry_run_says_the_same_and_changes_nothing(self, shop: Shop) -> None:
        shop.made()
        shop.clock.move(100 * DAY)
        shop.made()
        before = shop.names()
        would = shop.retention.prune(dry_run=True)
        assert would.films == 1
        assert would.film_bytes == 1010
        assert shop.names() == before
        assert shop.retention.prune(dry_run=True) == would
        assert replace(shop.retention.prune(), jobs=0) == replace(would, jobs=0)

    def test_rows_go_with_all_that_belongs_to_them(self, shop: Shop, vix_database: Database) -> None:
        job = shop.made()
        shop.clock.move(90 * DAY + 1)
        other = shop.made()
        assert shop.retention.prune().jobs == 1
        with pytest.raises(UnknownJob):
            shop.jobs.get(job.id)
        assert EventStore(vix_database).after(job.id) == []
        assert EventStore(vix_database).after(other.id) != []

    def test_jobs_that_wait_or_are_made_never_go(self, shop: Shop) -> None:
        begun = shop.begun()
        waiting = shop.jobs.submit(new_job()).job
        shop.clock.move(1000 * DAY)
        assert shop.retention.prune().jobs == 0
        assert {shop.jobs.get(job.id).id for job in (begun, waiting)} == {begun.id, waiting.id}

    def test_nothing_goes_that_a_callback_still_tells_of(
        self, vix_database: Database, tmp_path: Path, movable_clock: MovableClock
    ) -> None:
        shop = shop_on(vix_database, tmp_path, movable_clock, told=True)
        callbacks = CallbackStore(vix_database, movable_clock)
        job = shop.made()
        movable_clock.move(1000 * DAY)
        assert shop.retention.prune() == Pruned()
        assert shop.retention.make_room(10**9) == 0
        sent = callbacks.claim_due("a", 60)
        assert sent
        assert shop.retention.prune() == Pruned(), "the receiver may be fetching it now"
        callbacks.record(sent, "a", Outcome(Try(movable_clock(), 200, "taken", 1), State.DONE))
        assert shop.retention.prune() == Pruned(films=1, film_bytes=1010, jobs=1)
        with pytest.raises(UnknownJob):
            shop.jobs.get(job.id)

    def test_what_cannot_be_removed_holds_up_nothing_and_is_not_forgotten(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        stuck, following = shop.made(), shop.made()
        stick(shop, stuck)
        shop.begun()
        stray = "job_aaaaaaaaaaaaaaaaaaaa.1.mp4"
        (shop.films.folder / stray).mkdir()
        os.utime(shop.films.folder / stray, (shop.clock().timestamp(),) * 2)
        shop.put("job_bbbbbbbbbbbbbbbbbbbb.1.mp4")
        shop.retention.prepared.folder.mkdir()
        (shop.retention.prepared.folder / f"{following.id}.json").mkdir()
        shop.clock.move(90 * DAY + 1)
        assert shop.retention.prune() == Pruned(films=1, film_bytes=1010, strays=1, jobs=1)
        assert shop.jobs.get(stuck.id).film == stuck.film
        assert shop.names() == sorted([f"{stuck.film}.jpg", f"{stuck.film}.mp4", stray])
        assert len([one for one in caplog.records if one.__dict__.get("action") == "not_removed"]) == 3

    def test_a_part_that_fails_holds_up_no_other(self, shop: Shop) -> None:
        job, told = shop.made(), list[datetime]()

        def fails(before: datetime) -> None:
            raise DatabaseBusy

        shop.clock.move(90 * DAY + 1)
        with pytest.raises(DatabaseBusy):
            replace(shop.retention, also=[fails, told.append]).prune()
        assert len(told) == 1
        with pytest.raises(UnknownJob):
            shop.jobs.get(job.id)

    def test_further_tables_are_told_since_when(self, shop: Shop) -> None:
        told: list[datetime] = []
        replace(shop.retention, also=[told.append]).prune()
        assert told == [shop.clock() - timedelta(days=90)]


class TestStrays:
    def test_only_what_a_known_job_does_not_need(self, shop: Shop) -> None:
        done, running = shop.made(), shop.begun()
        shop.put(f"{running.stem}.mp4.part")
        for name in (f"{done.id}.7.mp4", f"{running.id}.0.mp4", f"{running.id}.0.jpg.part", f"{done.id}.mp4"):
            shop.put(name)
        assert shop.retention.prune() == Pruned(strays=3)
        assert shop.names() == sorted([f"{done.film}.jpg", f"{done.film}.mp4", f"{running.stem}.mp4.part"])

    def test_a_film_that_an_earlier_version_finishes_beside_this_one_is_adopted(self, shop: Shop) -> None:
        """That one names the file by the job alone and does not know that the row should name it."""
        job, under_way = shop.begun(), shop.begun()
        shop.put(f"{under_way.id}.mp4")
        shop.put(f"{job.id}.mp4")
        assert shop.jobs.finish(job.claim, {})
        assert shop.retention.prune(dry_run=True) == Pruned()
        assert shop.retention.prune() == Pruned()
        assert shop.jobs.get(job.id).film == job.id
        assert shop.jobs.get(under_way.id).film is None
        assert shop.names() == sorted([f"{job.id}.mp4", f"{under_way.id}.mp4"])
        shop.clock.move(7 * DAY + 1)
        assert shop.retention.prune() == Pruned(films=1, film_bytes=10)
        assert shop.names() == [f"{under_way.id}.mp4"]

    def test_files_of_unknown_jobs_are_kept_as_long_as_films(self, shop: Shop) -> None:
        """They may be another service's; or VIX_DATABASE was changed, and all films would be gone at once."""
        strange = shop.put("job_aaaaaaaaaaaaaaaaaaaa.1.mp4")
        shop.clock.move(7 * DAY - 1)
        assert shop.retention.prune() == Pruned()
        shop.clock.move(2)
        assert shop.retention.prune() == Pruned(strays=1)
        assert not strange.exists()

    def test_other_files_are_somebody_elses(self, shop: Shop) -> None:
        names = ["holiday.mp4", "job_1.mp4", ".nfs0001", "job_aaaaaaaaaaaaaaaaaaaa.1.mp4.bak", "job_a.1.jpg"]
        for name in names:
            shop.put(name)
        (shop.films.folder / "job_bbbbbbbbbbbbbbbbbbbb").mkdir()
        shop.clock.move(1000 * DAY)
        assert shop.retention.prune() == Pruned()
        assert shop.names() == sorted([*names, "job_bbbbbbbbbbbbbbbbbbbb"])

    def test_a_film_that_is_published_while_files_are_counted_stays(self, shop: Shop) -> None:
        """The table is asked after the folder was read."""
        job = shop.begun()
        shop.put(f"{job.stem}.mp4")
        store = shop.retention.store
        needed = store.needed_stems

        def late(ids: set[str]) -> dict[str, set[str]]:
            assert shop.jobs.finish(job.claim, {}, film=job.stem)
            return needed(ids)

        assert shop.films.garbage(late, 0) == []  # type: ignore[arg-type]


class TestRoom:
    def test_the_oldest_films_go_first_and_no_more_than_needed(self, shop: Shop) -> None:
        jobs = []
        for _ in range(4):
            jobs.append(shop.made(1000))
            shop.clock.move(HOUR)
        assert shop.retention.make_room(1500) == 2020
        assert [shop.jobs.get(job.id).film is None for job in jobs] == [True, True, False, False]

    def test_none_goes_where_that_would_not_be_enough(self, shop: Shop) -> None:
        jobs = [shop.made(1000), shop.made(1000)]
        shop.clock.move(2 * HOUR)
        assert shop.retention.make_room(2021) == 0
        assert [shop.jobs.get(job.id).film for job in jobs] == [job.film for job in jobs]
        assert len(shop.names()) == 4

    def test_films_on_another_machines_disk_are_none(self, shop: Shop) -> None:
        elsewhere, here = shop.made(1000), shop.made(1000)
        shop.films.remove(str(elsewhere.film))
        shop.clock.move(2 * HOUR)
        assert shop.retention.make_room(1000) == 1010
        assert shop.jobs.get(elsewhere.id).film == elsewhere.film
        assert shop.jobs.get(here.id).film is None

    def test_one_that_cannot_be_removed_is_passed_over(self, shop: Shop) -> None:
        stuck, following = shop.made(0), shop.made(1000)
        stick(shop, stuck)
        shop.clock.move(2 * HOUR)
        assert shop.retention.make_room(1000) == 1010
        assert shop.jobs.get(stuck.id).film == stuck.film
        assert shop.jobs.get(following.id).film is None

    def test_one_that_was_finished_a_moment_ago_stays(self, shop: Shop) -> None:
        job = shop.made()
        shop.clock.move(HOUR / 2)
        assert shop.retention.make_room(10**9) == 0
        assert shop.jobs.get(job.id).film == job.film


def test_a_download_in_progress_is_not_cut(shop: Shop) -> None:
    job = shop.made(10_000)
    with shop.films.path(str(job.film), "mp4").open("rb", buffering=0) as download:
        first = download.read(100)
        shop.clock.move(8 * DAY)
        assert shop.retention.prune().films == 1
        assert shop.names() == []
        assert len(first + download.read()) == 10_000


def test_prepared_jobs_go_with_their_jobs(shop: Shop) -> None:
    done, waits = shop.made(), shop.jobs.submit(new_job()).job
    folder = shop.retention.prepared.folder
    folder.mkdir()
    for job_id in (done.id, waits.id, "job_aaaaaaaaaaaaaaaaaaaa"):
        (folder / f"{job_id}.json").write_text("{}")
        os.utime(folder / f"{job_id}.json", (shop.clock().timestamp(),) * 2)
    assert shop.retention.prune() == Pruned(prepared=2)
    assert [path.stem for path in folder.iterdir()] == [waits.id]


def test_a_prepared_job_that_was_half_written_goes_with_its_job(shop: Shop) -> None:
    done, waits = shop.made(), shop.jobs.submit(new_job()).job
    folder = shop.retention.prepared.folder
    folder.mkdir()
    for job_id in (done.id, waits.id):
        (folder / f"{job_id}.json.part").write_text("{")
        os.utime(folder / f"{job_id}.json.part", (shop.clock().timestamp(),) * 2)
    assert shop.retention.prune() == Pruned(prepared=1)
    assert [path.name for path in folder.iterdir()] == [f"{waits.id}.json.part"]
    shop.retention.prepared.drop(waits.id)
    assert list(folder.iterdir()) == []


class TestFilms:
    def test_publishing_moves_a_file_and_removing_frees_it(self, tmp_path: Path) -> None:
        films = Films(tmp_path / "new" / "films")
        work = tmp_path / "film.mp4"
        work.write_text("film")
        work.chmod(0o600)
        assert films.publish(work, "job_a.1") == tmp_path / "new" / "films" / "job_a.1.mp4"
        assert stat.S_IMODE(films.path("job_a.1", "mp4").stat().st_mode) == 0o640  # a proxy may be in the group
        assert not work.exists()
        assert (films.size_bytes("job_a.1"), films.size_bytes("job_a.2")) == (4, 0)
        assert films.remove("job_a.1") == 4
        assert films.remove("job_a.1") == 0

    def test_attempts_do_not_touch_each_other(self, tmp_path: Path) -> None:
        films = Films(tmp_path)
        for stem in ("job_a.1", "job_a.11"):
            (tmp_path / f"{stem}.mp4").write_text("film")
        films.remove("job_a.1")
        assert [path.name for path in tmp_path.iterdir()] == ["job_a.11.mp4"]
