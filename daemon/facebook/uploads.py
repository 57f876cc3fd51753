"""How videos get to Facebook: Reels in three steps, ordinary videos in chunks. Nothing here publishes but `finish_*`.

Sources: Meta's "Reels Publishing" and "Video Uploads" guides; the chunked protocol as its own Python SDK speaks it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from daemon.deliveries.setbacks import Passing
from daemon.facebook.graph import Credential, Files, Graph
from daemon.facebook.meaning import WrongOffset
from daemon.facebook.status import VideoStatus, read
from daemon.outbound.client import Stream

_PIECE_BYTES = 64 * 1024
_UPLOAD_S, _STALL_S = 3600.0, 60.0
_MOST_TRANSFERS = 10_000
_BYTES_A_RESUMPTION = 10 * 2**20  # as Meta's own client bounds them
FIELDS = "status,published,permalink_url"


@dataclass(frozen=True, slots=True)
class Reels:
    """The Reels of a page."""

    graph: Graph
    page_id: str
    credential: Credential

    def start(self) -> tuple[str, str]:
        """Begin an upload; the video's id, and the address that its bytes go to. By itself it publishes nothing.

        Raises:
            DeliveryError: none was begun.
        """
        answer = self.graph.post(f"{self.page_id}/video_reels", self.credential, upload_phase="start")
        video_id, url = str(answer.get("video_id") or ""), str(answer.get("upload_url") or "")
        if not video_id or not url:
            raise Passing("Facebook began no upload and did not say why.", "facebook_no_upload", 5)
        return video_id, url

    def upload(self, url: str, film: Path, offset: int, on_piece: Callable[[int], object]) -> None:
        """Send the film's bytes from `offset` on; `on_piece` is told how many are on their way.

        Raises:
            DeliveryError: not all of them were taken; ask `status` how many were.
        """
        size = film.stat().st_size
        with film.open("rb") as file:
            file.seek(offset)
            body = Stream(size - offset, _pieces(file, offset, on_piece))
            self.graph.upload(url, self.credential, body, offset, size, total_s=_UPLOAD_S, stall_s=_STALL_S)

    def finish(self, video_id: str, **params: str) -> dict[str, Any]:
        """Publish an uploaded video.

        Raises:
            DeliveryError: it was not, or, where it is `Unclear`, may have been.
        """
        return self.graph.post(
            f"{self.page_id}/video_reels", self.credential, None, upload_phase="finish", video_id=video_id, **params
        )


@dataclass(frozen=True, slots=True)
class Videos:
    """The ordinary videos of a page. The server says which chunk it wants next; numbers are strings."""

    graph: Graph
    page_id: str
    credential: Credential

    def start(self, size: int) -> tuple[str, dict[str, str]]:
        """Begin an upload of so many bytes; the video's id, and the session with the chunk that is wanted first.

        Raises:
            DeliveryError: none was begun.
        """
        answer = self._post(upload_phase="start", file_size=str(size))
        session = {name: str(answer.get(name, "")) for name in ("upload_session_id", "start_offset", "end_offset")}
        video_id = str(answer.get("video_id") or "")
        if not video_id or not session["upload_session_id"]:
            raise Passing("Facebook began no upload and did not say why.", "facebook_no_upload", 5)
        return video_id, session

    def transfer(
        self,
        session: dict[str, str],
        film: Path,
        on_chunk: Callable[[dict[str, str]], object],
        on_piece: Callable[[], object] = lambda: None,
    ) -> None:
        """Send chunk after chunk until the server wants no more; `on_chunk` is told of each where it stands, and
        `on_piece` is called again and again while one is on its way.

        Raises:
            DeliveryError: a chunk was not taken.
        """
        resumed, most = 0, 1 + film.stat().st_size // _BYTES_A_RESUMPTION
        with film.open("rb") as file:
            for _ in range(_MOST_TRANSFERS):
                start, end = _offset(session["start_offset"]), _offset(session["end_offset"])
                if start >= end:
                    return
                try:
                    told = self._chunk(session, Part(file, start, end - start, on_piece), start)
                except WrongOffset as exc:
                    resumed += 1
                    if resumed > most:
                        raise
                    told = exc.offsets
                session = session | told
                on_chunk(session)
        raise Passing("Facebook asks for chunks without end.", "facebook_offset", 3)

    def _chunk(self, session: dict[str, str], chunk: Part, start: int) -> dict[str, str]:
        """The very chunk that is asked for, as Meta's own client sends it; it may be 50 MB."""
        if not chunk.is_there:
            raise Passing("Facebook asks for bytes that the film does not have.", "facebook_offset", 3)
        answer = self._post(
            {"video_file_chunk": ("film.mp4", chunk, "application/octet-stream")},
            upload_phase="transfer",
            upload_session_id=session["upload_session_id"],
            start_offset=str(start),
        )
        return {name: str(answer.get(name, "")) for name in ("start_offset", "end_offset")}

    def finish(self, session_id: str, **params: str) -> dict[str, Any]:
        """Publish an uploaded video.

        Raises:
            DeliveryError: it was not, or, where it is `Unclear`, may have been.
        """
        return self._post(None, upload_phase="finish", upload_session_id=session_id, **params)

    def _post(self, files: Files | None = None, **params: str) -> dict[str, Any]:
        return self.graph.post(f"{self.page_id}/videos", self.credential, files, **params)


class Part(io.RawIOBase):
    """So many bytes of a file from a place on, to be read in pieces as if they were a file; `on_piece` is called at
    each."""

    def __init__(self, file: BinaryIO, start: int, size: int, on_piece: Callable[[], object] = lambda: None) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0
        self._on_piece = on_piece

    @property
    def is_there(self) -> bool:
        """Whether the file has all of it."""
        return self._start + self._size <= self._file.seek(0, os.SEEK_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._start + self._at)
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        self._on_piece()
        return len(piece)


def status(graph: Graph, credential: Credential, video_id: str) -> VideoStatus:
    """Ask how far a video is.

    Raises:
        DeliveryError: nothing could be learnt.
    """
    return read(graph.get(video_id, credential, fields=FIELDS))


def set_cover(graph: Graph, credential: Credential, video_id: str, picture: bytes) -> None:
    """Make a JPEG the video's cover; once more makes it the cover once more.

    Raises:
        DeliveryError: it is not.
    """
    graph.post(
        f"{video_id}/thumbnails", credential, {"source": ("cover.jpg", picture, "image/jpeg")}, is_preferred="true"
    )


def set_captions(graph: Graph, credential: Credential, video_id: str, srt: bytes, locale: str) -> None:
    """Add captions in a language such as `en_US`, which the file's name says, too; once more replaces them.

    Raises:
        DeliveryError: they are not there.
    """
    files: Files = {"captions_file": (f"captions.{locale}.srt", srt, "application/x-subrip")}
    graph.post(f"{video_id}/captions", credential, files, default_locale=locale)


def _offset(text: str) -> int:
    if not text.isdecimal():
        raise Passing("Facebook did not say which bytes it wants.", "facebook_offset", 3)
    return int(text)


def _pieces(file: BinaryIO, sent: int, on_piece: Callable[[int], object]) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        sent += len(piece)
        on_piece(sent)
        yield piece
