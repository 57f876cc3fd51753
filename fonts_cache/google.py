"""Families of Google Fonts on this disk: the catalogue with a life of a day, and the faces that were ever asked for.

Only what is handed a `fetch` reaches the network; without one it knows what lies here. Knows nothing of aliases and of
fonts that ship.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fonts_cache.files import PART, Occupied, Pauses, locked, write_whole
from fonts_cache.matching import nearness
from fonts_cache.proof import MOST_BYTES, prove
from fonts_cache.routes import Family, Routes, Rubbish, face_of, is_family, read_catalogue, read_css, variant

TTL_S = 86_400.0
# What has failed is not asked for again for so long.
PAUSE_S = 300.0
MOST_TOTAL_BYTES = 256 * 2**20
_MOST_CATALOGUE_BYTES, _MOST_CSS_BYTES = 16 * 2**20, 2**20
# Longer than a fetch may take: the one who waits shall find what the other has fetched.
_PATIENCE_S = 60.0
# Nobody removes what a film that is being made may need, and no use is noted more often.
_IN_USE_S, _NOTED_EVERY_S = 3_600.0, 600.0
_VERSION = 1
_log = logging.getLogger("fonts_cache")

Fetch = Callable[[str, int], bytes]
"""From a URL and the most bytes that are allowed to the whole answer; raises NotFetched."""


class NotFetched(Exception):
    """It is not to be had. `permanent`: the server answers that there is no such thing."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Kept:
    """A downloaded face: its file, size, and when it was last used (Unix seconds)."""

    path: Path
    family: str
    variant: str
    size: int
    used_s: float
    licence: str


class GoogleFonts:
    """The catalogue and the downloaded faces in a folder.

    `fetch` is None where nothing may be asked for; `most_total_bytes` is what all faces together may take.
    """

    def __init__(
        self,
        root: Path,
        routes: Routes | None = None,
        fetch: Fetch | None = None,
        *,
        clock: Callable[[], float] = time.time,
        ttl_s: float = TTL_S,
        most_total_bytes: int = MOST_TOTAL_BYTES,
    ) -> None:
        self.root = root
        self._routes = routes or Routes()
        self._fetch = fetch
        self._clock = clock
        self._ttl_s = ttl_s
        self._most = most_total_bytes
        self._path = root / ".catalogue.json"
        self._pauses = Pauses(root / ".failed", clock)
        self._read: tuple[int, dict[str, Family]] = (-1, {})

    @property
    def is_asked(self) -> bool:
        """Whether this process may fetch."""
        return self._fetch is not None

    def age_s(self) -> float | None:
        """How old the catalogue is; None where there is none."""
        try:
            return self._clock() - self._path.stat().st_mtime if self.families() else None
        except OSError:
            return None

    def trouble(self) -> str | None:
        """Why Google Fonts could not be asked a short while ago, if so."""
        return self._pauses.reason("catalogue", PAUSE_S) or self._pauses.reason("server", PAUSE_S)

    def families(self) -> dict[str, Family]:
        """The catalogue by folded name, as it lies here: fresh, stale, or empty where there is none."""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._read[0]:
                self._read = (stamp, _load(self._path))
        except OSError:
            return {}
        return self._read[1]

    def refresh(self, *, now: bool = False) -> None:
        """Fetch the catalogue where it is too old. Where that fails the old one stays, and is not asked for again for
        some minutes; `now` does not wait for those.

        Raises:
            NotFetched: it is too old, or not there, and no other is to be had.
        """
        if not self._is_due():
            return
        if not now and (reason := self._pauses.reason("catalogue", PAUSE_S)):
            raise NotFetched(reason)
        try:
            with locked(self.root / ".locks" / "catalogue", _PATIENCE_S):
                if not now and (reason := self._pauses.reason("catalogue", PAUSE_S)):
                    raise NotFetched(reason)  # as another process has found while this one waited
                if self._is_due():
                    families = self._listed()
                    plain = {"version": _VERSION, "families": [asdict(family) for family in families]}
                    write_whole(self._path, json.dumps(plain).encode(), self._clock())
            self._pauses.end("catalogue")
        except (NotFetched, Rubbish, Occupied, OSError) as exc:
            self._pauses.begin("catalogue", str(exc))
            raise NotFetched(str(exc)) from exc

    def face(self, family: str, weight: int, italic: bool, *, now: bool = False) -> Path:
        """The file of the nearest face that a family has, downloaded if need be.

        Raises:
            NotFetched: it is not here and not to be had.
        """
        with suppress(NotFetched):
            self.refresh(now=now)
        known = self.families().get(folded(family))
        if not is_family(family) or (known is None and self.families()):
            raise NotFetched(f"Google Fonts has no family called {family}", permanent=True)
        if known is not None:
            return self._one(known.name, _nearest(known, weight, italic), known, now)
        try:
            return self._one(family, variant(weight, italic), None, now)
        except NotFetched as exc:
            if not exc.permanent or (weight, italic) == (400, False):
                raise
            return self._one(family, "400", None, now)  # which every family has

    def offer(self, family: str, weight: int, italic: bool) -> tuple[int, bool] | None:
        """Weight and style of the nearest face that the catalogue has of a family; None where it has no such family."""
        known = self.families().get(folded(family))
        return face_of(_nearest(known, weight, italic)) if known else None

    def nearest_path(self, family: str, weight: int, italic: bool) -> Path:
        """Where the nearest face of a family is kept, whether it is there or not."""
        known = self.families().get(folded(family))
        if known is None:
            return self.path(family, variant(weight, italic))
        return self.path(known.name, _nearest(known, weight, italic))

    def path(self, family: str, variant: str) -> Path:
        """Where a face is kept."""
        return self.root / f"{''.join(family.split())}-{variant}.ttf"

    def note_use(self, path: Path) -> None:
        """Remember that a file was used, if it is one of these: as its access time, which costs one call."""
        if path.parent != self.root:
            return
        with suppress(OSError):
            stat = path.stat()
            if abs(self._clock() - stat.st_atime) > _NOTED_EVERY_S:
                os.utime(path, (self._clock(), stat.st_mtime))

    def kept(self) -> list[Kept]:
        """The downloaded faces, the least recently used first."""
        found = []
        for path in self.root.glob("*.ttf"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                stat, about = path.stat(), json.loads(_about(path).read_bytes())
                one = Kept(path, about["family"], about["variant"], stat.st_size, stat.st_atime, about["licence"])
                found.append(one)
        return sorted(found, key=lambda one: (one.used_s, one.path))

    def prune(self, most_bytes: int | None = None, *, dry_run: bool = False) -> list[Kept]:
        """Remove the least recently used faces until all take no more than allowed, and say which; what was used within
        an hour stays."""
        self._remove_parts(dry_run)
        kept = self.kept()
        total, gone = sum(one.size for one in kept), []
        for one in kept:
            if total <= (self._most if most_bytes is None else most_bytes):
                break
            if 0 <= self._clock() - one.used_s < _IN_USE_S:
                continue
            if not dry_run:
                one.path.unlink(missing_ok=True)
                _about(one.path).unlink(missing_ok=True)
            total -= one.size
            gone.append(one)
        return gone

    def _remove_parts(self, dry_run: bool) -> None:
        """Remove what processes that were killed have left."""
        for part in () if dry_run else self.root.glob(f"{PART}*"):
            with suppress(OSError):
                if self._clock() - part.stat().st_mtime > _IN_USE_S:
                    part.unlink()

    def _is_due(self) -> bool:
        age_s = self.age_s()
        return age_s is None or not 0 <= age_s < self._ttl_s

    def _one(self, family: str, chosen: str, known: Family | None, now: bool) -> Path:
        """One face, unless it has failed a short while ago.

        Raises:
            NotFetched: it is not to be had.
        """
        path = self.path(family, chosen)
        if path.is_file():
            return path
        for name in () if now else (path.stem, "server"):
            if reason := self._pauses.reason(name, PAUSE_S):
                raise NotFetched(reason)
        self.prune()
        if sum(one.size for one in self.kept()) >= self._most:
            raise NotFetched("fonts that are in use take all the room that fetched ones may")
        try:
            return self._downloaded(family, chosen, known)
        except (NotFetched, Rubbish, Occupied, OSError) as exc:
            is_of_the_face = isinstance(exc, Rubbish) or (isinstance(exc, NotFetched) and exc.permanent)
            self._pauses.begin(path.stem if is_of_the_face else "server", str(exc))
            raise NotFetched(str(exc), permanent=isinstance(exc, NotFetched) and exc.permanent) from exc

    def _listed(self) -> list[Family]:
        """The catalogue of the Developer API, or the website's where there is no key or it is refused."""
        if self._routes.key:
            try:
                return read_catalogue(self._get(self._routes.catalogue_url, _MOST_CATALOGUE_BYTES))
            except NotFetched as exc:
                if not exc.permanent:
                    raise
                _log.warning("Google refuses the key of its Developer API: %s", exc)
        return read_catalogue(self._get(self._routes.website_url, _MOST_CATALOGUE_BYTES))

    def _get(self, url: str, most_bytes: int) -> bytes:
        if self._fetch is None:
            raise NotFetched("nothing is fetched here")
        return self._fetch(url, most_bytes)

    def _downloaded(self, family: str, chosen: str, known: Family | None) -> Path:
        path = self.path(family, chosen)
        with locked(self.root / ".locks" / path.stem, _PATIENCE_S):
            if path.is_file():  # by another process, while this one waited
                return path
            url, data = self._file(family, chosen, known)
            licence = prove(data, *face_of(chosen))
            about = {"family": family, "variant": chosen, "url": url, "licence": (known and known.licence) or licence}
            write_whole(_about(path), json.dumps(about).encode(), self._clock())
            write_whole(path, data, self._clock())
        self._pauses.end(path.stem)
        self._pauses.end("server")
        _log.info("font fetched: %s %s", family, chosen)
        self.prune()
        return path

    def _file(self, family: str, chosen: str, known: Family | None) -> tuple[str, bytes]:
        """Where a face is, and its file: where the catalogue says, or where a style sheet says that it is by now."""
        if known and chosen in known.files:
            try:
                url = self._routes.file_url(known.files[chosen])
                return url, self._get(url, MOST_BYTES)
            except (NotFetched, Rubbish) as exc:
                if isinstance(exc, NotFetched) and not exc.permanent:
                    raise
        url = self._routes.file_url(read_css(self._get(self._routes.css_url(family, chosen), _MOST_CSS_BYTES)))
        return url, self._get(url, MOST_BYTES)


def folded(name: str) -> str:
    """A name as it is compared: case, spaces and hyphens do not count."""
    return "".join(char for char in name.casefold() if char not in " -_\t")


def _nearest(family: Family, weight: int, italic: bool) -> str:
    return min(family.variants, key=lambda one: nearness(*face_of(one), weight, italic))


def _about(path: Path) -> Path:
    return path.with_suffix(".json")


def _load(path: Path) -> dict[str, Family]:
    """What `refresh` has written; nothing where somebody else has."""
    try:
        data = json.loads(path.read_bytes())
        if data["version"] != _VERSION:
            return {}
        families = [
            Family(one["name"], one["category"], tuple(one["variants"]), one["files"], one["licence"])
            for one in data["families"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {folded(family.name): family for family in families}
