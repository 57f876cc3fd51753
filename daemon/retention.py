"""What is kept and for how long: finished films, rows of ended jobs, prepared files. Knows no tables.

Films whose callback is not delivered stay; a download that has begun keeps its file, since removing only takes the
name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon import failpoints
from daemon.films import Films
from daemon.prepared import PreparedFiles
from daemon.store.retention import EARLIEST, KeptFilm, RetentionStore

EVERY_MIN = 60
# Somebody may have seen a moment ago that a film is finished, and be about to fetch it.
_YOUNGEST = timedelta(hours=1)
# More than a clock is put right by in everyday life.
_STEP = timedelta(minutes=5)
_STEADY_S = 1800.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much went, or would go: films of jobs and their bytes, files of nobody, prepared jobs, rows of jobs."""

    films: int = 0
    film_bytes: int = 0
    strays: int = 0
    prepared: int = 0
    jobs: int = 0


class Steps:
    """Notices that the wall clock was put forward or back, which makes nothing older or younger. `uptime_s` counts the
    seconds that have really passed, those in which the machine slept included."""

    def __init__(self, uptime_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self._uptime_s = uptime_s
        self._lock = threading.Lock()
        self._last: tuple[datetime, float] | None = None
        self._steady_since_s = 0.0

    def look(self, now: datetime, redate: Callable[..., object]) -> None:
        """Call `redate` as `RetentionStore.redate`: with what the clock has gained since the last look, and whether it
        has been steady for so long that it is believed more than times that are ahead of it."""
        with self._lock:
            uptime_s = self._uptime_s()
            last, last_s = self._last or (now, uptime_s)
            gained = now - last - timedelta(seconds=uptime_s - last_s)
            if self._last is None or abs(gained) >= _STEP:
                self._steady_since_s = uptime_s
            if now >= EARLIEST:
                # What a clock that was not set has said is known by itself, and what was before it is right.
                was_put_forward = gained >= _STEP and last >= EARLIEST
                is_steady = uptime_s - self._steady_since_s >= _STEADY_S
                redate(gained if was_put_forward else timedelta(), ahead=is_steady)
            self._last = now, uptime_s


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what has been kept long enough. `also` are further tables: each is told the time before which its rows
    have been kept long enough."""

    store: RetentionStore
    films: Films
    prepared: PreparedFiles
    keep_films: timedelta
    keep_jobs: timedelta
    also: Sequence[Callable[[datetime], object]] = ()
    steps: Steps = field(default_factory=Steps)

    def prune(self, dry_run: bool = False) -> Pruned:
        """Remove everything whose time has come, or only say how much that is. What fails holds up nothing else.

        Raises:
            StoreError, OSError: what came up first; what is left goes the next time.
        """
        now = self.store.clock()
        jobs_before = now - self.keep_jobs
        films_before = now - min(self.keep_films, self.keep_jobs)
        if dry_run:
            return self._would_prune(films_before, jobs_before)
        self.steps.look(now, self.store.redate)
        self.store.adopt(self.films.finished_by_name_alone())
        films, film_bytes, strays, prepared, jobs = 0, 0, 0, 0, 0
        trouble: list[Exception] = []
        with _apart(trouble):
            films, film_bytes = self._remove(self.store.films(films_before))
        with _apart(trouble):
            strays = sum(_removed(self.films.remove, stem) for stem in self._strays(films_before))
        with _apart(trouble):
            prepared = sum(_removed(self.prepared.drop, job_id) for job_id in self._old_prepared(films_before))
        with _apart(trouble):
            jobs = self.store.remove_jobs(jobs_before)
        with _apart(trouble):
            self.store.remove_repeats()
        for forget in self.also:
            with _apart(trouble):
                forget(jobs_before)
        failpoints.reach("prune_done")
        if trouble:
            raise trouble[0]
        _log.info("What was kept long enough is removed.", extra={"action": "pruned", "films": films})
        return Pruned(films, film_bytes, strays, prepared, jobs)

    def make_room(self, wanted_bytes: int) -> int:
        """Remove the oldest delivered films until so much is free, or none where that would not be enough; returns
        what was freed."""
        now = self.store.clock()
        self.steps.look(now, self.store.redate)
        oldest = [
            (film, size)
            for film in self.store.films(now - _YOUNGEST, delivered=True)
            if (size := self.films.size_bytes(film.stem))  # else it is on another machine's disk
        ]
        freed = 0
        if sum(size for _, size in oldest) < wanted_bytes:
            return freed
        for film, _ in oldest:
            if freed >= wanted_bytes:
                break
            freed += self._remove([film])[1]
            _log.warning("A film had to go early for want of room.", extra={"action": "room_made", "job": film.job_id})
        return freed

    def _would_prune(self, films_before: datetime, jobs_before: datetime) -> Pruned:
        expired = self.store.films(films_before)
        size = sum(self.films.size_bytes(film.stem) for film in expired)
        strays, prepared = self._strays(films_before), self._old_prepared(films_before)
        return Pruned(len(expired), size, len(strays), len(prepared), self.store.count_jobs(jobs_before))

    def _remove(self, films: Sequence[KeptFilm]) -> tuple[int, int]:
        """Remove films and forget those that went; returns how many, and their bytes."""
        failpoints.reach("prune_before_files")
        gone, size = [], 0
        for film in films:
            before = self.films.size_bytes(film.stem)
            if _removed(self.films.remove, film.stem):
                gone.append(film)
                size += before
        failpoints.reach("prune_files_gone")
        self.store.forget_films(gone)
        return len(gone), size

    def _strays(self, before: datetime) -> list[str]:
        return self.films.garbage(self.store.needed_stems, before.timestamp())

    def _old_prepared(self, before: datetime) -> list[str]:
        ages = self.prepared.ages()
        needed = self.store.may_run(ages)
        return [job_id for job_id, at in ages.items() if job_id not in needed or at < before.timestamp()]


def _removed(remove: Callable[[str], object], name: str) -> bool:
    """Remove something; False where that cannot be, which must not hold up the rest."""
    try:
        remove(name)
    except OSError as exc:
        _log.warning(
            "A file cannot be removed.", extra={"action": "not_removed", "about": name, "reason": exc.strerror}
        )
        return False
    return True


@contextmanager
def _apart(trouble: list[Exception]) -> Iterator[None]:
    """Keep what comes up in the block from whatever is after it."""
    try:
        yield
    except Exception as exc:
        _log.error("A part of pruning failed.", exc_info=exc, extra={"action": "prune_failed"})
        trouble.append(exc)
