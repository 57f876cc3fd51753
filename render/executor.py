"""Timeline -> verified film: lower, build the arguments, run FFmpeg slice by slice, join, verify, settle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from render import graph
from render.atlas import lower
from render.errors import ClipEndedEarly
from render.ffmpeg import MAX_PIXELS, STALL_S, FFmpeg, Usage, Watch
from render.legibility import made_legible, sentences
from render.loudness import MOST_DBTP, amplitude, decibels
from render.sandbox import MIB, Limits
from render.settle import settle
from render.slices import Slice, slices
from render.smooth import lacks_frames, smoothed
from render.sound import highest
from render.timeline import Media, Timeline
from render.verify import Loudness, verify

# A film may take this many times its own length a megapixel and 30 frames a second, with a floor for short ones: an
# eighth of a core needs 5 times; 2160x3840 at 60 with colours of HDR about 140 times, besides decoding and encoding.
WALL_FACTOR = 30
WALL_FLOOR_S = 600.0
# How often a sound that peaks too high is made again, each time that much lower than it has to be.
_TRIES = 4
_MARGIN_DB = 0.3
# Twice what noise takes at the best quality, with a floor: x264 spends up to 2 bits a pixel on it.
_BYTES_PER_PX = 0.5
_BYTES_FLOOR = 64 * MIB
# Address space, twice what was measured (MB): 482 for 1080x1920 with 1 thread, 602 with 4, 3,236 with 64; for 2160x3840
# at 60 fps from 10 bits 1,415 with 1 and 1,907 with 4. On top 400 for what more cores and decoders take.
_MEMORY_FLOOR_MB = 1_100
_MB_A_MPX, _MB_A_MPX_AND_THREAD = 220, 45
# What making a frame between others takes, where encoding one is 1.
_BETWEEN = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: threads of decoder and encoder each, and the seconds without progress after which to give up."""

    threads: int = 1
    stall_s: float = STALL_S


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a render used, what it drew otherwise than asked, and how loud it came out."""

    cpu_s: float
    peak_rss_mb: float
    warnings: tuple[str, ...]
    loudness: Loudness


def render(
    timeline: Timeline,
    out: Path,
    workdir: Path,
    ffmpeg: FFmpeg,
    options: Options = Options(),
    *,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Rendered:
    """Make the film of a Timeline. `out` appears complete and verified, or not at all.

    `on_progress` gets the share of frames done, from 0 to 1. FFmpeg writes into `workdir` only, which the caller
    removes. What stops a watched FFmpeg stops this.

    Raises:
        TextError, MediaError: an overlay cannot be drawn, a clip ends before its time.
        FFmpegError, VerifyError, Cancelled: the run did not deliver.
        OSError: the film cannot be written to where `out` is.
    """
    run = _Run(timeline, ffmpeg, options, workdir, on_progress)
    timeline, aids = made_legible(timeline, ffmpeg)
    timeline = run.smoothed(timeline)
    lowered, warnings = lower(timeline, workdir)
    part = workdir / "film.part"
    try:
        pieces = slices(timeline)
        # A loop is held in memory: not at the same time as pictures.
        if len(pieces) == 1 and not any(sound.loop for sound in timeline.sounds):
            run.encode(graph.film_args(lowered, pieces[0], options.threads, part), pieces[0])
        else:
            paths = _encode_slices(lowered, pieces, workdir, options.threads, run)
            _join(timeline, paths, part, workdir, run)
        loudness = _verified(part, timeline, run, ffmpeg)
        settle(part, out)
    finally:
        part.unlink(missing_ok=True)
    return Rendered(run.cpu_s, run.peak_rss_mb, sentences(aids) + warnings, loudness)


class _Run:
    """Runs the FFmpeg commands of one film and adds up their frames and costs."""

    def __init__(
        self,
        timeline: Timeline,
        ffmpeg: FFmpeg,
        options: Options,
        workdir: Path,
        on_progress: Callable[[float], None],
    ) -> None:
        self.cpu_s = 0.0
        self.peak_rss_mb = 0.0
        self._ffmpeg = ffmpeg
        self._workdir = workdir
        self._between = sum(layer.frames for layer in timeline.layers if lacks_frames(layer, timeline.rate))
        self._frames = timeline.frames + _BETWEEN * self._between
        self._done = 0
        self._on_progress = on_progress
        work = timeline.width * timeline.height / 1e6 * float(timeline.rate) / 30
        wall_s = max(WALL_FLOOR_S, float(timeline.duration_s) * WALL_FACTOR * max(1.0, work))
        self._watch = Watch(self._on_frame, options.stall_s, wall_s)
        self._limits = limits_of(timeline, options.threads, wall_s)

    def smoothed(self, timeline: Timeline) -> Timeline:
        """Make the frames that slow clips lack."""
        if not self._between:
            return timeline
        made = smoothed(timeline, self._workdir, self._ffmpeg, lambda frames: self._on_frame(_BETWEEN * frames))
        self.cpu_s += made.cpu_s
        self._done += _BETWEEN * made.frames
        return made.timeline

    def encode(self, args: list[str], piece: Slice) -> None:
        """Run a command that encodes a slice. Too few frames: a clip ended early, which FFmpeg calls a success."""
        usage = self.join(args)
        self._done += piece.frames
        if (
            usage.frames < piece.frames
            and piece.ground is not None
            and isinstance(media := piece.ground.content, Media)
        ):
            raise ClipEndedEarly(media.path, usage.tail)

    def join(self, args: list[str]) -> Usage:
        """Run a command and count what it used."""
        usage = self._ffmpeg.run(["-y", *args], self._watch, writes=self._workdir, limits=self._limits)
        self.cpu_s += usage.cpu_s
        self.peak_rss_mb = max(self.peak_rss_mb, usage.peak_rss_mb)
        return usage

    def _on_frame(self, frame: int) -> None:
        self._on_progress(min(1.0, (self._done + frame) / self._frames))


def limits_of(timeline: Timeline, threads: int, wall_s: float) -> Limits:
    """What an FFmpeg that works on a Timeline for so long may use."""
    media = [layer.content for layer in timeline.layers if isinstance(layer.content, Media)]
    px = timeline.width * timeline.height
    megapixels = min(max(px, *(one.width * one.height for one in media), 0), MAX_PIXELS) / 1e6
    return Limits(
        memory_bytes=int(MIB * (_MEMORY_FLOOR_MB + megapixels * (_MB_A_MPX + _MB_A_MPX_AND_THREAD * threads))),
        file_bytes=_BYTES_FLOOR + int(px * timeline.frames * _BYTES_PER_PX),
        # Counts while this process is stopped and watches nothing, too.
        cpu_s=int(wall_s * max(2, threads)),
    )


def _encode_slices(lowered: graph.Lowered, pieces: list[Slice], workdir: Path, threads: int, run: _Run) -> list[Path]:
    paths = []
    for number, piece in enumerate(pieces):
        path = workdir / f"slice{number:04}.mp4"
        run.encode(graph.slice_args(lowered, piece, threads, path), piece)
        paths.append(path)
    return paths


def _verified(part: Path, timeline: Timeline, run: _Run, ffmpeg: FFmpeg) -> Loudness:
    """Verify a film. AAC adds to peaks, to noise and hard transients most: where its sound peaks too high, make that
    again under a lower ceiling, which costs less of its loudness than making all of it softer."""
    loudness = verify(part, timeline, ffmpeg)
    ceiling_db = decibels(min(graph.CEILING, highest(timeline.sounds)))
    again = part.with_name("again.part")
    for _ in range(_TRIES):
        excess_db = loudness.true_peak_dbtp - MOST_DBTP
        if excess_db < 0:
            break
        ceiling_db -= excess_db + _MARGIN_DB
        run.join(graph.sound_args(timeline, amplitude(ceiling_db), part, again))
        again.replace(part)
        loudness = verify(part, timeline, ffmpeg)
    return loudness


def _join(timeline: Timeline, paths: list[Path], part: Path, workdir: Path, run: _Run) -> None:
    list_file = workdir / "slices.txt"
    list_file.write_text("ffconcat version 1.0\n" + "".join(f"file {path.name}\n" for path in paths))
    run.join(graph.join_args(timeline, list_file, part))
