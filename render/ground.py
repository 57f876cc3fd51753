"""What lies underneath all overlays, as FFmpeg inputs and chains: black, a clip, or two that cross. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from render.colour import blurred, fit, graded
from render.ffmpeg import source
from render.looks import looked
from render.slices import Slice
from render.sound import decimal
from render.timeline import Layer, Media, Timeline
from render.transitions import crossed

# A rate this near to a whole multiple of the film's shows a doubled or dropped frame less than twice in three seconds
# of 30 fps, which the eye does not catch; anything further off is blended.
_CADENCE_TOLERANCE = Fraction(1, 50)
# From here dropping unevenly is invisible: the step between kept frames varies by a third at most.
_DENSE = 3
_UNINDEXED_RUN_UP_S = 10


def ground(part: Slice, timeline: Timeline, threads: int) -> tuple[list[str], list[str]]:
    """Inputs, the first ones of a command, and chains that end in `[ground]`: frames of the canvas's size and the
    film's rate and time."""
    if part.ground is None:
        return _black_input(timeline), [f"[0:v]{_clock(part, timeline)}[ground]"]
    origin = part.start if part.origin is None else part.origin
    below = _Shot(part.ground, origin, part, timeline)
    if part.coming is None or part.coming.transition is None:
        return below.input(threads), [f"{below.chain(0)}[ground]"]
    above = _Shot(part.coming, part.start, part, timeline)
    *both, last = crossed(part.coming.transition, part.start, timeline.rate, "leaving", "coming")
    chains = [f"{below.chain(0)}[leaving]", f"{above.chain(1)}[coming]", *both, f"{last}[ground]"]
    return [*below.input(threads), *above.input(threads)], chains


class _Shot:
    """A clip as it is decoded for a part of a film; `origin` is the film frame at which its decoding begins there."""

    def __init__(self, layer: Layer, origin: int, part: Slice, timeline: Timeline) -> None:
        assert isinstance(layer.content, Media)
        self._media = layer.content
        self._part = part
        self._timeline = timeline
        self._begin = _begin(layer, origin, part, timeline.rate)

    def input(self, threads: int) -> list[str]:
        """Arguments that open the clip where the part begins."""
        media, rate = self._media, self._timeline.rate
        seek_s, trim_s = _where(media, self._begin.start_s)
        frames = self._part.frames + self._begin.lead
        # A little more than is shown: the blend looks one frame ahead, and the tail of a clip may be a frame short.
        length_s = trim_s + frames / rate * media.speed + 2 / min(media.rate, rate)
        seek = ["-ss", decimal(seek_s)] if seek_s else []
        return source(media.path, "-threads", str(threads), "-an", "-sn", "-dn", *seek, "-t", decimal(length_s))

    def chain(self, index: int) -> str:
        """From the decoded input `index` to canvas-sized frames at the film's rate, cheapest order first.

        Frames are dropped before they are scaled and graded, and blended after.
        """
        media, timeline, begin = self._media, self._timeline, self._begin
        ratio = media.rate * media.speed / timeline.rate
        rate = f"{timeline.rate.numerator}/{timeline.rate.denominator}"
        blended = media.smooth != "off" and needs_blend(ratio)
        _, trim_s = _where(media, begin.start_s)
        steps = [f"trim=start={decimal(trim_s)}"] if trim_s else []
        # From the first frame's own time: after a seek it comes a little late, and would stand twice as long.
        steps.append(f"setpts={_pace(media.speed, begin.late / timeline.rate)}")
        if not blended:
            steps.append(f"fps={rate}:start_time=0")
        steps += fit(media, timeline.width, timeline.height)
        steps += graded(media.grade)
        steps += looked(media.look)
        steps += blurred(media.grade.blur_px, timeline.width, timeline.height)
        if blended:
            # Neighbouring frames are mixed by their distance in time. For 20 s of film from 30 fps at half speed that
            # costs 0.1 CPU s; minterpolate's blend looks the same at 2.4, and its motion compensation takes over 200.
            steps.append(f"framerate=fps={rate}:interp_start=0:interp_end=255:scene=100")
            steps.append(f"fps={rate}:start_time=0")
        # Rounding may leave the tail of a clip a frame short. More than that is a file that ends early, and must show.
        steps.append(f"tpad=stop={math.ceil(2 / ratio) + 1}:stop_mode=clone")
        return f"[{index}:V:0]{','.join(steps)},{_clock(self._part, timeline, begin.lead)}"


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


def _begin(layer: Layer, origin: int, part: Slice, rate: Fraction) -> _Begin:
    """A slice begins at its start. A part out of a slice's middle begins a source frame early, and with the slice's
    clock, which starts at the slice's first source frame: so it shows what the slice does.

    Source frames are taken to lie at whole multiples of 1/rate; the aim is half a frame before one.
    """
    media = layer.content
    assert isinstance(media, Media)
    start_s = media.start_s + (origin - layer.start) / rate * media.speed
    ratio = media.rate * media.speed / rate
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
