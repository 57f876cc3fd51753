"""Lowered Timeline -> FFmpeg arguments. Pure; compared as values in tests. Starts nothing, opens nothing.

A film is encoded in slices, one shot each, and joined by stream copy: however many clips a film has, one decoder is
open. Inside a graph time is the film's, so that fades and overlays need no arithmetic where a slice begins in their
middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from render.colour import BT709
from render.encoder import audio_args, video_args
from render.ffmpeg import raw_source, source
from render.ground import ground
from render.loudness import CEILING_DBTP, amplitude
from render.motion import Course
from render.slices import Slice, group_of, slices
from render.sound import SAMPLE_RATE, decimal, sound_graph
from render.timeline import Box, Layer, Timeline

# What peaks of the sound are kept to before it is encoded, as a factor of full scale.
CEILING = amplitude(CEILING_DBTP)
_FROM_RGBA = (
    "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=bt709:out_range=tv,"
    f"format=yuva420p,{BT709}"
)


@dataclass(frozen=True, slots=True)
class Reel:
    """The frames of an overlay that moves: RGBA px in one raw file, and when each of them is to be seen."""

    path: Path
    course: Course


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn overlay: which layer it paints, where it lies in the atlas, where it goes on the canvas (all even px).

    Of one that moves, `cell` is the size of the frames in its `reel`, and it is not in the atlas.
    """

    layer: Layer
    cell: Box
    x: int
    y: int
    reel: Reel | None = None


@dataclass(frozen=True, slots=True)
class Lowered:
    """A Timeline whose texts and pictures are drawn: all that stand still lie in one picture file, the atlas."""

    timeline: Timeline
    sprites: tuple[Sprite, ...] = ()
    atlas: Path | None = None


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


def still_part(timeline: Timeline, frame: int) -> Slice:
    """The part of a film that has to be made for one frame, its last; of a transition all from its beginning on."""
    whole = next(part for part in slices(timeline) if part.start <= frame < part.end)
    origin = whole.start if whole.origin is None else whole.origin
    return Slice(whole.start if whole.coming else frame, frame + 1, whole.ground, origin, whole.coming)


@dataclass(frozen=True, slots=True)
class GroundFile:
    """A ground of one frame as a raw file: one to read, or one to write beside the picture."""

    path: Path
    is_there: bool


def still_args(
    lowered: Lowered, frame: int, threads: int, size: tuple[int, int] | None = None, file: GroundFile | None = None
) -> list[str]:
    """Arguments that make one frame of a film, to be followed by an encoder and where it goes; RGB, full range.

    `size` shrinks it, by averages. With a `file` the ground is read from it, or written to it as well.
    """
    part, beside = still_part(lowered.timeline, frame), list[str]()
    if file and file.is_there:
        part = Slice(frame, frame + 1, None)
        inputs, graph = _ground_file(file.path, part, lowered.timeline)
    else:
        inputs, graph = ground(part, lowered.timeline, threads)
    last = f"trim=start_frame={part.frames - 1}," if part.frames > 1 else ""
    under = "ground"
    if file and not file.is_there:
        under = "under"
        graph += ["[ground]split[under][same]", f"[same]{last}format=yuv420p[kept]"]
        beside = ["-map", "[kept]", "-frames:v", "1", "-f", "rawvideo", str(file.path)]
    inputs, graph = _over(lowered, part, inputs, graph, under)
    sides = f"w={size[0]}:h={size[1]}:flags=area" if size else "flags=bicubic"
    colour = "in_color_matrix=bt709:in_range=tv,format=rgb24"
    graph.append(f"[picture]{last}scale={sides}+accurate_rnd+full_chroma_int:{colour}[rgb]")
    return [*inputs, *_graph_args(graph), *beside, "-map", "[rgb]", "-frames:v", "1"]


def _ground_file(path: Path, part: Slice, timeline: Timeline) -> tuple[list[str], list[str]]:
    tick = f"{timeline.rate.denominator}/{timeline.rate.numerator}"
    chain = f"[0:v]setsar=1,{BT709},settb={tick},setpts=N+{part.start}[ground]"
    return raw_source(path, timeline.width, timeline.height, "yuv420p"), [chain]


def _count(inputs: Sequence[str]) -> int:
    return sum(1 for arg in inputs if arg == "-i")


def _graph_args(chains: list[str]) -> list[str]:
    return ["-filter_complex_threads", "1", "-filter_complex", ";".join(chains)]


def _video_out(timeline: Timeline, part: Slice, threads: int) -> list[str]:
    rate = f"{timeline.rate.numerator}/{timeline.rate.denominator}"
    return ["-frames:v", str(part.frames), "-r", rate, *video_args(timeline.quality, group_of(timeline), threads)]


def _audio_out(timeline: Timeline) -> list[str]:
    return ["-ar", str(SAMPLE_RATE), *audio_args(timeline.quality)]


def _file_out(out: Path) -> list[str]:
    return ["-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(out)]


def _picture(lowered: Lowered, part: Slice, threads: int) -> tuple[list[str], list[str]]:
    """Inputs and chains that end in `[picture]`."""
    return _over(lowered, part, *ground(part, lowered.timeline, threads), "ground")


def _over(
    lowered: Lowered, part: Slice, inputs: list[str], chains: list[str], last: str
) -> tuple[list[str], list[str]]:
    """The same, given the ground's, which end in `[last]`."""
    timeline = lowered.timeline
    sprites = [s for s in lowered.sprites if s.layer.start < part.end and s.layer.end > part.start]
    stills = [(number, sprite) for number, sprite in enumerate(sprites) if sprite.reel is None]
    if stills and lowered.atlas is not None:
        chains += _atlas_chains(_count(inputs), stills, timeline.rate)
        inputs += source(lowered.atlas)
    for number, sprite in enumerate(sprites):
        if sprite.reel is not None:
            chains.append(_reel_chain(_count(inputs), number, sprite.layer, sprite.reel, timeline.rate))
            inputs += raw_source(sprite.reel.path, sprite.cell.w, sprite.cell.h)
        chains.append(_overlay(last, number, sprite, timeline.rate))
        last = f"over{number}"
    chains.append(f"[{last}]{','.join(_closing(part, timeline))}[picture]")
    return inputs, chains


def _atlas_chains(index: int, sprites: Sequence[tuple[int, Sprite]], rate: Fraction) -> Iterator[str]:
    """Decode the atlas once and cut every overlay out of that one frame. Sprites come with their numbers."""
    outputs = "".join(f"[cell{number}]" for number, _ in sprites)
    split = f",split={len(sprites)}" if len(sprites) > 1 else ""
    yield f"[{index}:v:0]{_FROM_RGBA}{split}{outputs}"
    for number, sprite in sprites:
        cell = sprite.cell
        yield f"[cell{number}]crop={cell.w}:{cell.h}:{cell.x}:{cell.y}{_faded(sprite.layer, rate)}[sprite{number}]"


def _reel_chain(index: int, number: int, layer: Layer, reel: Reel, rate: Fraction) -> str:
    """Show each drawn frame at its time; the one that stands does so until the next comes."""
    tick = f"{rate.denominator}/{rate.numerator}"
    course = reel.course
    falling = layer.end - course.tail - course.head - 1
    at = f"N+{layer.start}"
    times = at if course.meets else f"'if(lte(N\\,{course.head})\\,{at}\\,N+{falling})'"
    return f"[{index}:v:0]{_FROM_RGBA},settb={tick},setpts={times}[sprite{number}]"


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
