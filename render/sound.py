"""The sounds of a Timeline as FFmpeg inputs and filter chains. Pure; knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from render.ffmpeg import source
from render.timeline import Sound, Timeline

SAMPLE_RATE = 48_000

# Where music is cut off in its middle, this much of a fade keeps the cut from being a click.
_CUT_S = Fraction(1, 100)
# The limiter takes no lower one.
_LOWEST_CEILING = 0.0625
# Half a period of a cosine: begins and ends gently, half the amplitude in its middle.
_CURVE = "hsin"
# A loop is held in memory as 16 bits, half as loud meanwhile, since what was coded with loss may pass full scale.
_HELD = "volume=0.5,aformat=sample_fmts=s16"
_RELEASED = "aformat=sample_fmts=fltp,volume=2"
_ENDLESS = f"aloop=loop=-1:size={2**31 - 1}"


def sound_graph(timeline: Timeline, first_input: int, ceiling: float) -> tuple[list[str], list[str]]:
    """Inputs and chains that end in `[sound]`: exactly as long as the film, silent where nothing plays, with no sample
    above the ceiling (1 is full scale)."""
    samples = round(timeline.duration_s * SAMPLE_RATE)
    if not timeline.sounds:
        silence = f"anullsrc=channel_layout=stereo:sample_rate={SAMPLE_RATE}"
        return ["-f", "lavfi", "-i", silence], [f"[{first_input}:a]atrim=end_sample={samples}[sound]"]
    inputs: list[str] = []
    chains: list[str] = []
    for number, sound in enumerate(timeline.sounds):
        inputs += source(sound.path, "-vn", "-sn", "-dn")
        chains += _heard(sound, timeline, f"{first_input + number}:a:0", f"sound{number}")
    names = "".join(f"[sound{number}]" for number in range(len(timeline.sounds)))
    mix = f"amix=inputs={len(timeline.sounds)}:normalize=0:duration=longest," if len(timeline.sounds) > 1 else ""
    limiter = _limiter(ceiling) if highest(timeline.sounds) > ceiling else ""
    chains.append(f"{names}{mix}{limiter}apad=whole_len={samples},atrim=end_sample={samples}[sound]")
    return inputs, chains


def as_stereo(mono: bool) -> Iterator[str]:
    """Steps that bring any sound to what films have, one sample after the other from 0 on, whatever its times say."""
    yield f"aresample={SAMPLE_RATE}"
    if mono:
        # FFmpeg's own way from one channel to two takes 3 dB away.
        yield "pan=stereo|c0=c0|c1=c0"
    yield "aformat=sample_fmts=fltp:channel_layouts=stereo"
    yield "asetpts=N/SR/TB"


def highest(sounds: Sequence[Sound]) -> float:
    """What the mix may reach where nothing limits it: all of them may peak at once."""
    return sum(sound.volume * sound.true_peak for sound in sounds)


def _limiter(ceiling: float) -> str:
    return f"alimiter=limit={max(ceiling, _LOWEST_CEILING):.4f}:attack=5:release=100:level=0:latency=1,"


def _heard(sound: Sound, timeline: Timeline, stream: str, name: str) -> Iterator[str]:
    """Chains from an input to `[name]`."""
    steps = [*as_stereo(sound.mono), *_stretch(sound)]
    if sound.loop and sound.seam_s:
        yield from _looped(sound, f"[{stream}]{','.join(steps)}", name)
        steps, stream = [_RELEASED], f"{name}looped"
    elif sound.loop:
        steps += [_HELD, _ENDLESS, _RELEASED]
    yield f"[{stream}]{','.join([*steps, *_placed(sound, timeline.rate)])}[{name}]"


def _stretch(sound: Sound) -> Iterator[str]:
    """Cut by decoding, since a seek in what has no index lands beside its aim."""
    end = f":end_sample={_samples(sound.source_end_s)}" if sound.source_end_s is not None else ""
    if sound.source_start_s or end:
        yield f"atrim=start_sample={_samples(sound.source_start_s)}{end}"
        yield "asetpts=N/SR/TB"


def _looped(sound: Sound, chain: str, name: str) -> Iterator[str]:
    """Chains that end in `[<name>looped]`: the first `seam_s`, then all the rest with its end passing into those again
    (at equal power, since the two have nothing to do with each other), endlessly."""
    seam = _samples(sound.seam_s)
    yield f"{chain},{_HELD},asplit=3[{name}a][{name}b][{name}c]"
    yield f"[{name}a]atrim=end_sample={seam}[{name}first]"
    yield f"[{name}b]atrim=start_sample={seam},asetpts=N/SR/TB[{name}rest]"
    yield f"[{name}c]atrim=end_sample={seam}[{name}again]"
    yield f"[{name}rest][{name}again]acrossfade=ns={seam}:c1=qsin:c2=qsin,{_ENDLESS}[{name}body]"
    yield f"[{name}first][{name}body]concat=n=2:v=0:a=1[{name}looped]"


def _placed(sound: Sound, rate: Fraction) -> Iterator[str]:
    """Cut to length, as loud as asked, faded, at its place in the film."""
    length_s = sound.frames / rate
    yield f"atrim=end_sample={_samples(length_s)}"
    if sound.volume != 1:
        yield f"volume={sound.volume:.6f}"
    if sound.fade_in:
        yield f"afade=t=in:st=0:d={decimal(sound.fade_in / rate)}:curve={_CURVE}"
    fade_out_s = max(sound.fade_out / rate, min(_CUT_S, length_s))
    yield f"afade=t=out:st={decimal(length_s - fade_out_s)}:d={decimal(fade_out_s)}:curve={_CURVE}"
    if sound.start:
        yield f"adelay=delays={round(sound.start / rate * 1000)}:all=1"


def _samples(seconds: Fraction) -> int:
    return round(seconds * SAMPLE_RATE)


def decimal(value: Fraction) -> str:
    """Seconds as filters and options read them."""
    return f"{float(value):.6f}"
