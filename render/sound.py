"""The sounds of a Timeline as FFmpeg inputs and filter chains. Pure; knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from render.ffmpeg import source
from render.timeline import Sound, Timeline

SAMPLE_RATE = 48_000


def sound_graph(timeline: Timeline, first_input: int) -> tuple[list[str], list[str]]:
    """Inputs and chains that end in `[sound]`: exactly as long as the film, silent where nothing plays."""
    samples = round(timeline.duration_s * SAMPLE_RATE)
    if not timeline.sounds:
        silence = f"anullsrc=channel_layout=stereo:sample_rate={SAMPLE_RATE}"
        return ["-f", "lavfi", "-i", silence], [f"[{first_input}:a]atrim=end_sample={samples}[sound]"]
    inputs: list[str] = []
    chains: list[str] = []
    for number, sound in enumerate(timeline.sounds):
        inputs += source(sound.path, *_sound_input(sound))
        chains.append(f"[{first_input + number}:a:0]{','.join(_heard(sound, timeline))}[sound{number}]")
    names = "".join(f"[sound{number}]" for number in range(len(timeline.sounds)))
    mix = f"amix=inputs={len(timeline.sounds)}:normalize=0:duration=longest," if len(timeline.sounds) > 1 else ""
    limit = "alimiter=limit=0.95:level=0," if mix or any(sound.volume > 1 for sound in timeline.sounds) else ""
    chains.append(f"{names}{mix}{limit}apad=whole_len={samples},atrim=end_sample={samples}[sound]")
    return inputs, chains


def _sound_input(sound: Sound) -> list[str]:
    loop = ["-stream_loop", "-1"] if sound.loop else []
    start = ["-ss", decimal(sound.source_start_s)] if sound.source_start_s else []
    return ["-vn", "-sn", "-dn", *loop, *start]


def _heard(sound: Sound, timeline: Timeline) -> Iterator[str]:
    rate = timeline.rate
    length_s = sound.frames / rate
    yield f"aresample={SAMPLE_RATE}"
    if sound.mono:
        # FFmpeg's own way from one channel to two takes 3 dB away.
        yield "pan=stereo|c0=c0|c1=c0"
    yield "aformat=sample_fmts=fltp:channel_layouts=stereo"
    yield f"atrim=end_sample={round(length_s * SAMPLE_RATE)}"
    yield "asetpts=N/SR/TB"
    if sound.volume != 1:
        yield f"volume={sound.volume:.6f}"
    if sound.fade_in:
        yield f"afade=t=in:st=0:d={decimal(sound.fade_in / rate)}"
    if sound.fade_out:
        yield f"afade=t=out:st={decimal((sound.frames - sound.fade_out) / rate)}:d={decimal(sound.fade_out / rate)}"
    if sound.start:
        yield f"adelay=delays={round(sound.start / rate * 1000)}:all=1"


def decimal(value: Fraction) -> str:
    """Seconds as filters and options read them."""
    return f"{float(value):.6f}"
