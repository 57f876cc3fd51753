"""Makes the frames that a slow source lacks, by optical flow, before a film is encoded.

Each clip that asks for it becomes a file with a frame for every frame of the film. It is made by a child process, for
which nothing heavy has to be loaded here.
"""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

from render.child import Files, answer, ask
from render.colour import BT709, fit
from render.errors import ClipEndedEarly, MediaError, RenderError
from render.ffmpeg import FFmpeg, source
from render.ground import needs_blend
from render.plain import from_plain
from render.sandbox import MIB, Limits
from render.sound import decimal
from render.timeline import Box, Layer, Media, Timeline

if TYPE_CHECKING:
    from render.flow import Frame

# An eighth of a core takes about a second for a frame.
_WALL_S_A_FRAME = 6.0
_WALL_FLOOR_S = 600.0
_MEMORY_FLOOR_MB, _MB_A_MPX = 1_600, 260
# What x264 writes at this quality of noise; of films it is a tenth.
_BYTES_A_PX = 1.0
# So near to a frame of the source it is that frame.
_NEAR = Fraction(1, 50)
# Rounding may leave a clip so many frames short. More than that is a file that ends early, and must show.
_SHORT = 3
_ENCODE = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "30", "-pix_fmt", "yuv420p")
_TELL_EVERY = 10


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A Timeline whose slow clips have all their frames, and what that took; `frames` is how many were made."""

    timeline: Timeline
    frames: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Task:
    """A clip, the canvas to bring it to, and which frames of the film to make of it: from `first`, so many."""

    media: Media
    width: int
    height: int
    rate: Fraction
    first: int
    frames: int
    out: Path

    @property
    def ratio(self) -> Fraction:
        """How many frames of the source pass for each of the film's."""
        return self.media.rate * self.media.speed / self.rate

    @property
    def skipped(self) -> int:
        """Frames of the source before the first that is needed."""
        return int(self.first * self.ratio)


@dataclass(frozen=True, slots=True)
class _Made:
    cpu_s: float
    ended_early: bool = False


def lacks_frames(layer: Layer, rate: Fraction) -> bool:
    """Whether a clip asks for flow, and is too slow for a film of that rate."""
    media = layer.content
    return isinstance(media, Media) and media.smooth == "flow" and needs_blend(media.rate * media.speed / rate)


def smoothed(
    timeline: Timeline, workdir: Path, ffmpeg: FFmpeg, on_frames: Callable[[int], object] = lambda frames: None
) -> Smoothed:
    """Make the frames that clips lack. `on_frames` gets how many there are so far.

    Raises:
        MediaError, FFmpegError, Cancelled: a clip cannot be read, or ends before its time, or not now.
    """
    layers: list[Layer] = []
    done, cpu_s = 0, 0.0
    for number, layer in enumerate(timeline.layers):
        if lacks_frames(layer, timeline.rate):
            out = workdir / f"smooth{number:04}.mp4"
            cpu_s += _make(_task(layer, timeline, out), ffmpeg, on_frames, done)
            done += layer.frames
            layer = replace(layer, content=_replaced(layer, out, timeline))
        layers.append(layer)
    return Smoothed(replace(timeline, layers=tuple(layers)), done, cpu_s)


def smoothed_at(timeline: Timeline, frame: int, workdir: Path, ffmpeg: FFmpeg) -> Timeline:
    """The same for one frame of a film, by this process itself, which is to be a short-lived one: nothing else is made,
    and the clip begins there. While clips cross over, their frames are blended instead.

    Raises:
        MediaError, FFmpegError, Cancelled: as `smoothed` does.
    """
    seen = [
        (number, layer) for number, layer in enumerate(timeline.layers)
        if lacks_frames(layer, timeline.rate) and layer.start <= frame < layer.end
    ]  # fmt: skip
    if len(seen) != 1:
        return timeline
    ((number, layer),) = seen
    out = workdir / "smooth.mp4"
    first = frame - layer.start
    _smooth(replace(_task(layer, timeline, out), first=first, frames=1), ffmpeg)
    media = _replaced(layer, out, timeline)
    begun = replace(layer, content=media, start=frame, frames=layer.frames - first, transition=None)
    layers = timeline.layers
    return replace(timeline, layers=(*layers[:number], begun, *layers[number + 1 :]))


def _task(layer: Layer, timeline: Timeline, out: Path) -> _Task:
    media = layer.content
    assert isinstance(media, Media)
    return _Task(media, timeline.width, timeline.height, timeline.rate, 0, layer.frames, out.absolute())


def _replaced(layer: Layer, out: Path, timeline: Timeline) -> Media:
    media = layer.content
    assert isinstance(media, Media)
    whole = Box(0, 0, timeline.width, timeline.height)
    return Media(
        out, Fraction(0), Fraction(1), timeline.rate, timeline.width, timeline.height, whole,
        grade=media.grade, look=media.look,
        smooth="off",
    )  # fmt: skip


def _make(task: _Task, ffmpeg: FFmpeg, on_frames: Callable[[int], object], done: int) -> float:
    """Have a child make frames, besides the `done` that there are; the CPU seconds that it took."""
    media = task.media
    told = 0

    def heard(data: bytes) -> None:
        nonlocal told
        told += data.count(b"\n") * _TELL_EVERY
        on_frames(done + min(told, task.frames))

    px = max(task.width * task.height, media.width * media.height)
    wall_s = max(_WALL_FLOOR_S, task.frames * _WALL_S_A_FRAME * max(1.0, px / 2e6))
    limits = Limits(
        memory_bytes=int(MIB * (_MEMORY_FLOOR_MB + _MB_A_MPX * px / 1e6)),
        file_bytes=64 * MIB + int(task.width * task.height * task.frames * _BYTES_A_PX),
        cpu_s=int(wall_s * 2),
    )
    files = Files(media.path, task.out.parent)
    made = from_plain(_Made, ask("render.smooth", task, files, ffmpeg, wall_s=wall_s, limits=limits, heard=heard))
    if made.ended_early:
        raise ClipEndedEarly(media.path)
    return made.cpu_s


def _smooth_and_tell(task: _Task, ffmpeg: FFmpeg) -> _Made:
    ended_early = False
    try:
        _smooth(task, ffmpeg, lambda: print(flush=True))
    except ClipEndedEarly:
        ended_early = True  # an answer, not an error: whoever asked has to know which clip to leave out
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return _Made(sum(one.ru_utime + one.ru_stime for one in used), ended_early)


def _smooth(task: _Task, ffmpeg: FFmpeg, on_some: Callable[[], object] = lambda: None) -> None:
    size = f"{task.width}x{task.height}"
    rate = f"{task.rate.numerator}/{task.rate.denominator}"
    limits = Limits(file_bytes=resource.getrlimit(resource.RLIMIT_FSIZE)[0])
    raw = ["-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", size, "-framerate", rate, "-i", "pipe:0"]
    # Bare frames say nothing of their colour: FFmpeg would take it for BT.601 and convert it to what is asked for.
    tags = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    with closing(_Decoder(task, ffmpeg)) as decoder:
        ffmpeg.feed(
            ["-y", *raw, "-vf", BT709, *_ENCODE, *tags, "-threads", "1", "-f", "mp4", str(task.out)],
            (part for frame in _frames(task, decoder.frames(), on_some) for part in _bytes(frame)),
            wall_s=math.inf,
            writes=task.out.parent,
            limits=limits,
        )


def _bytes(frame: Frame) -> Iterator[memoryview]:
    return (memoryview(plane.tobytes()) for plane in frame)


def _frames(task: _Task, source_frames: Iterator[Frame], on_some: Callable[[], object]) -> Iterator[Frame]:
    """The film's frames: those of the source, and between them what the flow makes of both."""
    from render.flow import Between, Flow

    flow = Flow(task.width, task.height)
    first = next(source_frames, None)
    if first is None:
        raise MediaError("it ends before this film begins")
    second, index = next(source_frames, None), task.skipped
    pair: Between | None = None
    for number in range(task.first, task.first + task.frames):
        at = number * task.ratio
        while index < int(at) and second is not None:
            first, second, index, pair = second, next(source_frames, None), index + 1, None
        share = at - index
        if share > _SHORT:
            raise ClipEndedEarly(task.media.path)
        if second is None or share < _NEAR:
            yield first
        elif share > 1 - _NEAR:
            yield second
        else:
            pair = pair or flow.between(first, second)
            yield flow.frame(pair, float(share))
        if number % _TELL_EVERY == _TELL_EVERY - 1:
            on_some()


class _Decoder:
    """Decodes a clip in a thread, a few frames ahead of whoever takes them."""

    _AHEAD = 4

    def __init__(self, task: _Task, ffmpeg: FFmpeg) -> None:
        self._task = task
        self._queue: Queue[bytes | RenderError | None] = Queue(self._AHEAD)
        self._rest = bytearray()
        self._size = task.width * task.height * 3 // 2
        self._is_closed = False
        self._ffmpeg = ffmpeg.watched(lambda: self._is_closed)
        self._thread = Thread(target=self._run, name="decoder", daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[Frame]:
        """The clip's frames on the canvas, until it ends or has been read far enough."""
        import numpy as np

        y, u = self._task.width * self._task.height, self._task.width * self._task.height // 4
        luma, chroma = (self._task.height, self._task.width), (self._task.height // 2, self._task.width // 2)
        while (item := self._queue.get()) is not None:
            if isinstance(item, RenderError):
                raise item
            px = np.frombuffer(item, np.uint8)
            yield px[:y].reshape(luma), px[y : y + u].reshape(chroma), px[y + u :].reshape(chroma)

    def close(self) -> None:
        """Stop decoding."""
        self._is_closed = True
        while self._thread.is_alive():
            while not self._queue.empty():
                self._queue.get()
            self._thread.join(0.05)

    def _run(self) -> None:
        ended: RenderError | None = None
        try:
            self._ffmpeg.stream(self._args(), self._take, wall_s=math.inf)
        except RenderError as exc:
            ended = exc
        self._queue.put(ended)

    def _take(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= self._size:
            self._queue.put(bytes(self._rest[: self._size]))
            del self._rest[: self._size]

    def _args(self) -> list[str]:
        task, media = self._task, self._task.media
        start_s = media.start_s
        if task.skipped:  # half a frame early, so that rounding leaves that frame out for nobody
            start_s = (math.ceil(start_s * media.rate) + task.skipped - Fraction(1, 2)) / media.rate
        length_s = task.frames / task.rate * media.speed + 3 / media.rate
        seek = ["-ss", decimal(start_s)] if start_s and media.seekable else []
        steps = [] if media.seekable else [f"trim=start={decimal(start_s)}"]
        rate = f"{media.rate.numerator}/{media.rate.denominator}"
        steps += ["setpts=PTS-STARTPTS", f"fps={rate}:start_time=0", *fit(media, task.width, task.height)]
        whole = length_s if media.seekable else length_s + start_s
        opened = source(media.path, "-threads", "1", "-an", "-sn", "-dn", *seek, "-t", decimal(whole))
        return ["-v", "error", *opened, "-map", "0:V:0", "-vf", ",".join(steps), "-f", "rawvideo", "-"]


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], _Task, _smooth_and_tell))
