"""Lowered Timeline -> FFmpeg arguments. Pure; compared as values in tests. Starts nothing, opens nothing.

A film is encoded in slices, one shot each, and joined by stream copy: however many clips a film has, one decoder is
open. Inside a graph time is the film's, so that fades and overlays need no arithmetic where a slice begins in their
middle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from render.colour import BT709, blurred, fit, graded
from render.encoder import audio_args, video_args
from render.ffmpeg import source
from render.loudness import CEILING_DBTP, amplitude
from render.sound import SAMPLE_RATE, decimal, sound_graph
from render.timeline import Box, Layer, Media, Timeline

# A rate this near to a whole multiple of the film's shows a doubled or dropped frame less than twice in three seconds
# of 30 fps, which the eye does not catch; anything further off is blended.
_CADENCE_TOLERANCE = Fraction(1, 50)
# From here dropping unevenly is invisible: the step between kept frames varies by a third at most.
_DENSE = 3
_UNINDEXED_RUN_UP_S = 10
# What peaks of the sound are kept to before it is encoded, as a factor of full scale.
CEILING = amplitude(CEILING_DBTP)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn overlay: which layer it paints, where it lies in the atlas, where it goes on the canvas (all even px)."""

    layer: Layer
    cell: Box
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Lowered:
    """A Timeline whose texts and pictures are drawn: all of them lie in one picture file, the atlas."""

    timeline: Timeline
    sprites: tuple[Sprite, ...] = ()
    atlas: Path | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """The frames from `start` up to `end`, over which the ground (the clip underneath all else) is the same.

    `origin` is the frame at which the film begins to decode the ground; None where that is `start`.
    """

    start: int
    end: int
    ground: Layer | None
    origin: int | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.end - self.start


def slices(timeline: Timeline) -> list[Slice]:
    """Cut a film where its ground changes. Gaps without a clip are slices of black."""
    found: list[Slice] = []
    at = 0
    for layer in sorted((x for x in timeline.layers if isinstance(x.content, Media)), key=lambda x: x.start):
        if layer.start > at:
            found.append(Slice(at, layer.start, None))
        start, end = max(at, layer.start), min(layer.end, timeline.frames)
        if end > start:
            found.append(Slice(start, end, layer))
            at = end
    if at < timeline.frames:
        found.append(Slice(at, timeline.frames, None))
    return found


def key_frames(timeline: Timeline) -> list[int]:
    """The frames from which a decoder can begin."""
    return [frame for part in slices(timeline) for frame in range(part.start, part.end, _group(timeline))]


def film_args(lowered: Lowered, part: Slice, threads: int, out: Path) -> list[str]:
    """Arguments that make a whole film of one slice, with its sound."""
    timeline = lowered.timeline
    inputs, graph = _picture(lowered, part, threads)
    first_sound = _count(inputs)
    sound_inputs, sound_chains = sound_graph(timeline, first_sound, CEILING)
    return [
        *inputs,
        *sound_inputs,
        *_graph_args(graph + sound_chains),
        *("-map", "[picture]", "-map", "[sound]"),
        *_video_out(timeline, part, threads),
        *_audio_out(timeline),
        *_file_out(out),
    ]


def slice_args(lowered: Lowered, part: Slice, threads: int, out: Path) -> list[str]:
    """Arguments that make the picture of one slice of a film, without sound."""
    inputs, graph = _picture(lowered, part, threads)
    args = [*inputs, *_graph_args(graph), "-map", "[picture]", *_video_out(lowered.timeline, part, threads)]
    return [*args, "-f", "mp4", str(out)]


def join_args(timeline: Timeline, list_file: Path, out: Path) -> list[str]:
    """Arguments that join slices named in a concat list by stream copy and add the sound."""
    joined = ["-protocol_whitelist", "file", "-f", "concat", "-safe", "0", "-i", f"file:{list_file}"]
    return _with_sound(joined, timeline, CEILING, out)


def sound_args(timeline: Timeline, ceiling: float, film: Path, out: Path) -> list[str]:
    """Arguments that make the sound of a finished film anew, with another ceiling; its picture is copied."""
    return _with_sound(source(film), timeline, ceiling, out)


def _with_sound(picture: list[str], timeline: Timeline, ceiling: float, out: Path) -> list[str]:
    sound_inputs, sound_chains = sound_graph(timeline, 1, ceiling)
    return [
        *picture,
        *sound_inputs,
        *_graph_args(sound_chains),
        *("-map", "0:v:0", "-map", "[sound]", "-c:v", "copy"),
        *_audio_out(timeline),
        *_file_out(out),
    ]


def still_args(lowered: Lowered, frame: int, threads: int, size: tuple[int, int] | None = None) -> list[str]:
    """Arguments that make one frame of a film, to be followed by an encoder and where it goes; RGB, full range.

    `size` shrinks it, by averages.
    """
    whole = next(part for part in slices(lowered.timeline) if part.start <= frame < part.end)
    inputs, graph = _picture(lowered, Slice(frame, frame + 1, whole.ground, whole.start), threads)
    sides = f"w={size[0]}:h={size[1]}:flags=area" if size else "flags=bicubic"
    graph.append(
        f"[picture]scale={sides}+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_range=tv,format=rgb24[rgb]"
    )
    return [*inputs, *_graph_args(graph), "-map", "[rgb]", "-frames:v", "1"]


def _count(inputs: Sequence[str]) -> int:
    return sum(1 for arg in inputs if arg == "-i")


def _graph_args(chains: list[str]) -> list[str]:
    return ["-filter_complex_threads", "1", "-filter_complex", ";".join(chains)]


def _video_out(timeline: Timeline, part: Slice, threads: int) -> list[str]:
    rate = f"{timeline.rate.numerator}/{timeline.rate.denominator}"
    return ["-frames:v", str(part.frames), "-r", rate, *video_args(timeline.quality, _group(timeline), threads)]


def _group(timeline: Timeline) -> int:
    return round(2 * timeline.rate)


def _audio_out(timeline: Timeline) -> list[str]:
    return ["-ar", str(SAMPLE_RATE), *audio_args(timeline.quality)]


def _file_out(out: Path) -> list[str]:
    return ["-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(out)]


def _picture(lowered: Lowered, part: Slice, threads: int) -> tuple[list[str], list[str]]:
    """Inputs and chains that end in `[picture]`."""
    timeline = lowered.timeline
    sprites = [s for s in lowered.sprites if s.layer.start < part.end and s.layer.end > part.start]
    if part.ground is not None and isinstance(media := part.ground.content, Media):
        inputs, ground = _media_input(media, part, timeline, threads), _media_chain(media, part, timeline)
    else:
        inputs, ground = _black_input(timeline), f"[0:v]{_clock(part, timeline)}"
    chains = [f"{ground}[ground]"]
    last = "ground"
    if sprites and lowered.atlas is not None:
        inputs += source(lowered.atlas)
        chains += _atlas_chains(sprites, timeline.rate)
        for number, sprite in enumerate(sprites):
            chains.append(_overlay(last, number, sprite, timeline.rate))
            last = f"over{number}"
    chains.append(f"[{last}]{','.join(_closing(part, timeline))}[picture]")
    return inputs, chains


def _media_input(media: Media, part: Slice, timeline: Timeline, threads: int) -> list[str]:
    seek_s, trim_s = _where(media, _begin(media, part, timeline).start_s)
    frames = part.frames + _begin(media, part, timeline).lead
    # A little more than is shown: the blend looks one frame ahead, and the tail of a clip may be a frame short.
    length_s = trim_s + frames / timeline.rate * media.speed + 2 / min(media.rate, timeline.rate)
    seek = ["-ss", decimal(seek_s)] if seek_s else []
    return source(media.path, "-threads", str(threads), "-an", "-sn", "-dn", *seek, "-t", decimal(length_s))


def _where(media: Media, start_s: Fraction) -> tuple[Fraction, Fraction]:
    """Where to seek to in the source and how much of what is decoded from there to throw away, in source seconds.

    Without an index a seek lands on the first key frame behind its aim, so it aims early, and the rest is decoded.
    """
    if media.seekable:
        return start_s, Fraction(0)
    seek_s = max(Fraction(0), start_s - _UNINDEXED_RUN_UP_S)
    return seek_s, start_s - seek_s


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a part begins in its clip: the source second, how many film frames are made before the part's own and
    thrown away, and how many film frames, less than one, the first source frame lies behind the first of those."""

    start_s: Fraction
    lead: int = 0
    late: Fraction = Fraction(0)


def _begin(media: Media, part: Slice, timeline: Timeline) -> _Begin:
    """A slice begins at its start. A part out of a slice's middle begins a source frame early, and with the slice's
    clock, which starts at the slice's first source frame: so it shows what the slice does.

    Source frames are taken to lie at whole multiples of 1/rate; the aim is half a frame before one.
    """
    assert part.ground is not None
    origin = part.start if part.origin is None else part.origin
    start_s = media.start_s + (origin - part.ground.start) / timeline.rate * media.speed
    ratio = media.rate * media.speed / timeline.rate
    into = part.start - origin
    first = math.floor(into * ratio) - 1
    if first < 1:
        return _Begin(start_s, into)
    behind = math.floor(first / ratio)
    aim = math.ceil(start_s * media.rate) + first - Fraction(1, 2)
    return _Begin(aim / media.rate, into - behind, first / ratio - behind)


def _black_input(timeline: Timeline) -> list[str]:
    size = f"{timeline.width}x{timeline.height}"
    return ["-f", "lavfi", "-i", f"color=c=black:s={size}:r={timeline.rate},format=yuv420p"]


def _media_chain(media: Media, part: Slice, timeline: Timeline) -> str:
    """From a decoded clip to canvas-sized frames at the film's rate, cheapest order first.

    Frames are dropped before they are scaled and graded, and blended after.
    """
    ratio = media.rate * media.speed / timeline.rate
    rate = f"{timeline.rate.numerator}/{timeline.rate.denominator}"
    blended = needs_blend(ratio)
    begin = _begin(media, part, timeline)
    _, trim_s = _where(media, begin.start_s)
    steps = [f"trim=start={decimal(trim_s)}"] if trim_s else []
    # From the first frame's own time: after a seek it comes a little late, and would stand twice as long.
    steps.append(f"setpts={_pace(media.speed, begin.late / timeline.rate)}")
    if not blended:
        steps.append(f"fps={rate}:start_time=0")
    steps += fit(media, timeline.width, timeline.height)
    steps += graded(media.grade)
    steps += blurred(media.grade.blur_px, timeline.width, timeline.height)
    if blended:
        # Neighbouring frames are mixed by their distance in time. For 20 s of film from 30 fps at half speed that costs
        # 0.1 CPU s; minterpolate's blend looks the same at 2.4, and its motion compensation takes over 200.
        steps.append(f"framerate=fps={rate}:interp_start=0:interp_end=255:scene=100")
        steps.append(f"fps={rate}:start_time=0")
    # Rounding may leave the tail of a clip a frame short. More than that is a file that ends early, and must show.
    steps.append(f"tpad=stop={math.ceil(2 / ratio) + 1}:stop_mode=clone")
    return f"[0:V:0]{','.join(steps)},{_clock(part, timeline, begin.lead)}"


def _pace(speed: Fraction, late_s: Fraction) -> str:
    """Times of source frames in the film. Where the first is late, it is stamped 0 all the same: filters begin their
    clock with it."""
    pace = f"(PTS-STARTPTS)*{speed.denominator}/{speed.numerator}"
    return f"'if(N\\,round({pace}+{late_s.numerator}/{late_s.denominator}/TB)\\,0)'" if late_s else pace


def needs_blend(ratio: Fraction) -> bool:
    """Whether a source with `ratio` true frames for each film frame would stutter if frames were doubled or dropped."""
    if ratio >= _DENSE:
        return False
    nearest = max(1, round(ratio))
    return abs(ratio - nearest) > _CADENCE_TOLERANCE * nearest


def _clock(part: Slice, timeline: Timeline, lead: int = 0) -> str:
    """Cut a stream to the slice's frames, which follow `lead` others, and number them as the film does."""
    tick = f"{timeline.rate.denominator}/{timeline.rate.numerator}"
    begin = f"start_frame={lead}:" if lead else ""
    return f"trim={begin}end_frame={lead + part.frames},settb={tick},setpts=N+{part.start}"


def _atlas_chains(sprites: Sequence[Sprite], rate: Fraction) -> Iterator[str]:
    """Decode the atlas once and cut every overlay out of that one frame."""
    outputs = "".join(f"[cell{number}]" for number in range(len(sprites)))
    split = f",split={len(sprites)}" if len(sprites) > 1 else ""
    yield (
        "[1:v:0]scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=bt709:out_range=tv,"
        f"format=yuva420p,{BT709}{split}{outputs}"
    )
    for number, sprite in enumerate(sprites):
        cell = sprite.cell
        yield f"[cell{number}]crop={cell.w}:{cell.h}:{cell.x}:{cell.y}{_faded(sprite.layer, rate)}[sprite{number}]"


def _faded(layer: Layer, rate: Fraction) -> str:
    """Make frames only while a fade lasts: the rise, one that stands, the fall. Frame `rise` is the first full one."""
    rise, fall = layer.fade_in, layer.fade_out
    if not rise and not fall:
        return ""
    tick = f"{rate.denominator}/{rate.numerator}"
    steps = [f"loop=loop={rise + fall}:size=1:start=0", f"settb={tick}", "setpts=N"]
    if rise:
        steps.append(f"fade=t=in:s=0:n={rise}:alpha=1")
    if fall:
        steps.append(f"fade=t=out:s={rise}:n={fall}:alpha=1")
    falling = layer.end - fall - rise - 1
    steps.append(f"setpts='if(lte(N\\,{rise})\\,N+{layer.start}\\,N+{falling})'")
    return "," + ",".join(steps)


def _overlay(below: str, number: int, sprite: Sprite, rate: Fraction) -> str:
    layer = sprite.layer
    # Half a frame of slack on both sides keeps rounding of times away from the decision.
    first, last = (decimal((frame - Fraction(1, 2)) / rate) for frame in (layer.start, layer.end))
    shown = f"between(t\\,{first}\\,{last})"
    options = f"x={sprite.x}:y={sprite.y}:format=yuv420:eof_action=repeat:enable='{shown}'"
    return f"[{below}][sprite{number}]overlay={options}[over{number}]"


def _closing(part: Slice, timeline: Timeline) -> Iterator[str]:
    """Fades of the whole picture, then time that starts at zero as a file's must."""
    if timeline.fade_in > part.start:
        yield f"fade=t=in:st=0:d={decimal(timeline.fade_in / timeline.rate)}"
    if timeline.fade_out and timeline.frames - timeline.fade_out < part.end:
        # The last frame is black: the fade ends where that frame begins.
        start = timeline.frames - 1 - timeline.fade_out
        yield f"fade=t=out:st={decimal(max(start, 0) / timeline.rate)}:d={decimal(timeline.fade_out / timeline.rate)}"
    yield f"setpts=PTS-{part.start}"
    yield "format=yuv420p"
    yield BT709
