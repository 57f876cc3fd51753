"""What is kept and for how long: finished films, rows of ended jobs, prepared files. Knows no tables.

Films whose callback is not delivered stay; a download that has begun keeps its file, since removing only takes the
name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon import failpoints
from daemon.films import Films
from daemon.prepared import PreparedFiles
from daemon.store.retention import KeptFilm, RetentionStore

EVERY_MIN = 60
# Somebody may have seen a moment ago that a film is finished, and be about to fetch it.
_YOUNGEST = timedelta(hours=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much went, or would go: films of jobs and their bytes, files of nobody, prepared jobs, rows of jobs."""

    films: int = 0
    film_bytes: int = 0
    strays: int = 0
    prepared: int = 0
    jobs: int = 0


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

    def prune(self, dry_run: bool = False) -> Pruned:
        """Remove everything whose time has come, or only say how much that is.

        Raises:
            StoreError, OSError: what was removed until then stays so; the rest goes the next time.
        """
        now = self.store.clock()
        jobs_before = now - self.keep_jobs
        films_before = now - min(self.keep_films, self.keep_jobs)
        expired = self.store.films(films_before)
        strays = self.films.garbage(self.store.needed_stems, films_before.timestamp())
        prepared = self._old_prepared(films_before)
        if dry_run:
            size = sum(self.films.size_bytes(film.stem) for film in expired)
            return Pruned(len(expired), size, len(strays), len(prepared), self.store.count_jobs(jobs_before))
        size = self._remove(expired)
        for stem in strays:
            self.films.remove(stem)
        for job_id in prepared:
            self.prepared.drop(job_id)
        pruned = Pruned(len(expired), size, len(strays), len(prepared), self.store.remove_jobs(jobs_before))
        self.store.remove_repeats()
        for forget in self.also:
            forget(jobs_before)
        failpoints.reach("prune_done")
        _log.info("What was kept long enough is removed.", extra={"action": "pruned", "films": len(expired)})
        return pruned

    def make_room(self, wanted_bytes: int) -> int:
        """Remove the oldest delivered films until so much is free; returns what was freed."""
        freed = 0
        for film in self.store.films(self.store.clock() - _YOUNGEST, delivered=True):
            if freed >= wanted_bytes:
                break
            freed += self._remove([film])
            _log.warning("A film had to go early for want of room.", extra={"action": "room_made", "job": film.job_id})
        return freed

    def _remove(self, films: Sequence[KeptFilm]) -> int:
        failpoints.reach("prune_before_files")
        size = sum(self.films.remove(film.stem) for film in films)
        failpoints.reach("prune_files_gone")
        self.store.forget_films(films)
        return size

    def _old_prepared(self, before: datetime) -> list[str]:
        ages = self.prepared.ages()
        needed = self.store.may_run(ages)
        return [job_id for job_id, at in ages.items() if job_id not in needed or at < before.timestamp()]
