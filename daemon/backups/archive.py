"""The file of a backup: a tar.gz whose first member says what the others must be. Knows bytes, and no database."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from daemon import failpoints
from daemon.errors import BackupRefused

FORMAT = 1
MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 1_000_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """Size in bytes and SHA-256 (hex) of a file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `secret` and `vault_keys` tell keys apart without telling them."""

    version: str
    commit: str
    created: str
    secret: str
    vault_keys: tuple[str, ...]
    files: Mapping[str, Member] = field(default_factory=dict)


def write(target: Path, manifest: Manifest, files: Mapping[str, Path | bytes]) -> None:
    """Write a backup whole, for its owner alone, or leave what is there.

    Raises:
        BackupRefused: another one is being written there.
        OSError: it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(f"Another backup is being written to {target}.") from None
        if not part.exists() or part.stat().st_ino != os.fstat(file.fileno()).st_ino:
            raise BackupRefused(f"Another backup was written to {target} at this moment.")
        file.truncate()
        os.fchmod(file.fileno(), 0o600)
        _fill(file, manifest, files)
        file.flush()
        os.fsync(file.fileno())
        failpoints.reach("backup_written")
        part.rename(target)
    folder = os.open(target.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def measure(content: Path | bytes) -> Member:
    """Size and digest of what will be a member."""
    digest = hashlib.sha256()
    size = 0
    with _opened(content) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return Member(size, digest.hexdigest())


def read_manifest(source: Path) -> Manifest:
    """Read what a backup says of itself.

    Raises:
        BackupRefused: it is none.
        OSError: it cannot be read.
    """
    with _Reading(source) as tar:
        return _manifest(tar)


def unpack(source: Path, folder: Path, names: Collection[str]) -> Manifest:
    """Write the members of a backup to a folder, each only as the manifest says it is. There may be those of `names`.

    Raises:
        BackupRefused: something is missing, differs or is too much.
        OSError: it cannot be read, or there is no room.
    """
    with _Reading(source) as tar:
        manifest = _manifest(tar)
        left = dict(manifest.files)
        while info := tar.next():
            expected = left.pop(info.name, None)
            if expected is None or info.name not in names or not info.isreg() or info.size != expected.size:
                raise BackupRefused(f"This backup holds {info.name[:80]!r}, which is not as its manifest says.")
            stream = tar.extractfile(info)
            assert stream is not None
            _write_checked(stream, folder / info.name, expected)
        assert tar.fileobj is not None
        while tar.fileobj.read(_PIECE):
            pass  # at its end gzip compares its own sum
    if left:
        raise BackupRefused(f"This backup lacks {', '.join(left)}: the file is cut off.")
    return manifest


class _Reading:
    """An archive opened for reading, whose damage is a `BackupRefused`."""

    def __init__(self, source: Path) -> None:
        self._source = source

    def __enter__(self) -> tarfile.TarFile:
        self._file = self._source.open("rb")
        try:
            self._tar = tarfile.open(fileobj=self._file, mode="r:gz")
        except BaseException as exc:
            self._file.close()
            raise self._meaning(exc) from exc
        return self._tar

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> None:
        self._tar.close()
        self._file.close()
        if exc is not None and (ours := self._meaning(exc)) is not exc:
            raise ours from exc

    def _meaning(self, exc: BaseException) -> BaseException:
        if isinstance(exc, tarfile.TarError | gzip.BadGzipFile | EOFError | zlib.error):
            return BackupRefused(f"{self._source} is no backup of Vix, or it is damaged ({exc}).")
        return exc


def _fill(file: IO[bytes], manifest: Manifest, files: Mapping[str, Path | bytes]) -> None:
    described = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
        for name, content in {MANIFEST: described, **files}.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o600
            info.size = content.stat().st_size if isinstance(content, Path) else len(content)
            with _opened(content) as stream:
                tar.addfile(info, stream)


def _opened(content: Path | bytes) -> IO[bytes]:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    stream = tar.extractfile(first) if first and first.isreg() and first.name == MANIFEST else None
    if first is None or stream is None or first.size > _LONGEST_MANIFEST:
        raise BackupRefused("This is no backup of Vix: it does not begin with a manifest.")
    try:
        data = json.loads(stream.read())
        if data["format"] != FORMAT:
            raise BackupRefused(f"This backup is of a format that this Vix does not know ({data['format']!r:.20}).")
        files = {str(name): Member(int(one["size"]), str(one["sha256"])) for name, one in data["files"].items()}
        version, commit, created, secret = (str(data[name]) for name in ("version", "commit", "created", "secret"))
        return Manifest(version, commit, created, secret, tuple(map(str, data["vault_keys"])), files)
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise BackupRefused("The manifest of this backup cannot be read.") from exc


def _write_checked(stream: IO[bytes], target: Path, expected: Member) -> None:
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != expected.sha256:
        raise BackupRefused(f"{target.name} in this backup is damaged: its digest is another than the manifest says.")
