"""Row 1: the film with all effects against plain FFmpeg in CPU seconds, and its encoder against veryfast."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from render.timeline import from_json
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.films import compiled, limit, ours, plain_request, request, whole_command, write_spec
from tests.benchmarks.quality import VMAF_EVERY, Quality, judge, limit_twin, our_twin
from tests.benchmarks.report import Outcome

CPU_TARGET = 0.60
SSIM_LOSS, VMAF_LOSS, BYTES_FACTOR = 0.001, 1.0, 1.10


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one source: medians over the pairs, but `ratio`, which is the median of the pairs' ratios."""

    limit_s: float
    ours_s: float
    ffmpeg_s: float
    command_s: float
    ratio: float
    ratios: tuple[float, ...]


def cpu(bench: Bench) -> Outcome:
    """Compare lowering + FFmpeg + verifying in a fresh process with the limit; the worst source counts."""
    costs = {name: _cost(bench, name, clip) for name, clip in bench.footage.clips.items()}
    worst = max(cost.ratio for cost in costs.values())
    middle = median(cost.ratio for cost in costs.values())
    lines = [
        f"FFmpeg's decoder and encoder get {bench.threads} thread(s) each in ours, in the limit FFmpeg's own choice",
        f"CPU s of {bench.seconds:g} s of film, medians of {bench.repeat} pairs. Compared: ours, a whole process that "
        "runs executor.render (drawing, FFmpeg, verifying), with the limit, FFmpeg without sound",
    ]
    lines += [
        f"{name:<12} limit {cost.limit_s:6.2f}   ours {cost.ours_s:6.2f} (FFmpeg alone {cost.ffmpeg_s:6.2f})   "
        f"`vix render` {cost.command_s:6.2f}   ratio {cost.ratio:.3f} "
        f"({', '.join(f'{ratio:.3f}' for ratio in cost.ratios)})   FFmpeg alone {cost.ffmpeg_s / cost.limit_s:.3f}"
        for name, cost in costs.items()
    ]
    figures: dict[str, Any] = {
        "worst": worst,
        "median": middle,
        "threads": bench.threads,
        "sources": {n: asdict(c) for n, c in costs.items()},
    }
    measured = f"{worst:.3f} at worst, median {middle:.3f}"
    return Outcome(measured, worst <= CPU_TARGET, tuple(lines), figures)


def _cost(bench: Bench, name: str, clip: Path) -> Cost:
    wanted = request(name, bench.seconds)
    timeline = compiled(bench, wanted, f"{name}-effects")
    films = bench.new("films")
    say(f"{name}: `vix render` once, then {bench.repeat} pairs of limit and ours ...")
    command = whole_command(bench, write_spec(bench, wanted, f"{name}-effects"), films / f"{name}-command.mp4")
    pairs = [
        (limit(bench, clip, bench.seconds, _limit_film(bench, name)), ours(bench, timeline, films / f"{name}-ours.mp4"))
        for _ in range(bench.repeat)
    ]
    ratios = tuple(mine.used.cpu_s / theirs.cpu_s for theirs, mine in pairs)
    return Cost(
        limit_s=median(theirs.cpu_s for theirs, _ in pairs),
        ours_s=median(mine.used.cpu_s for _, mine in pairs),
        ffmpeg_s=median(mine.ffmpeg_cpu_s for _, mine in pairs),
        command_s=command.cpu_s,
        ratio=median(ratios),
        ratios=ratios,
    )


def _limit_film(bench: Bench, name: str) -> Path:
    return bench.new("films") / f"{name}-limit.mp4"


def quality(bench: Bench) -> Outcome:
    """Compare films without overlays and effects; every source has to hold all three conditions."""
    judged = {name: _judged(bench, name, clip) for name, clip in bench.footage.clips.items()}
    worst_ssim = min(mine.ssim - theirs.ssim for mine, theirs in judged.values())
    worst_vmaf = min(mine.vmaf - theirs.vmaf for mine, theirs in judged.values())
    most_bytes = max(mine.bytes / theirs.bytes for mine, theirs in judged.values())
    lines = [f"Without overlays and effects, each against its lossless twin; VMAF of every {VMAF_EVERY}th frame"]
    lines += [
        f"{name:<12} SSIM ours {mine.ssim:.5f} veryfast {theirs.ssim:.5f} ({mine.ssim - theirs.ssim:+.5f})   "
        f"VMAF {mine.vmaf:.2f} / {theirs.vmaf:.2f} ({mine.vmaf - theirs.vmaf:+.2f})   "
        f"bytes {mine.bytes:,} / {theirs.bytes:,} ({mine.bytes / theirs.bytes:.3f})"
        for name, (mine, theirs) in judged.items()
    ]
    reached = worst_ssim >= -SSIM_LOSS and worst_vmaf >= -VMAF_LOSS and most_bytes <= BYTES_FACTOR
    figures = {name: {"ours": asdict(mine), "veryfast": asdict(theirs)} for name, (mine, theirs) in judged.items()}
    measured = f"SSIM {worst_ssim:+.5f}, VMAF {worst_vmaf:+.2f}, bytes x {most_bytes:.3f} at worst"
    return Outcome(measured, reached, tuple(lines), figures)


def _judged(bench: Bench, name: str, clip: Path) -> tuple[Quality, Quality]:
    """Ours and veryfast's."""
    say(f"{name}: judging quality ...")
    timeline = compiled(bench, plain_request(name, bench.seconds), f"{name}-plain")
    film, theirs = bench.new("films") / f"{name}-plain.mp4", _limit_film(bench, name)
    ours(bench, timeline, film)
    if not theirs.exists():
        limit(bench, clip, bench.seconds, theirs)
    mine = judge(bench, film, our_twin(from_json(timeline.read_text())))
    return mine, judge(bench, theirs, limit_twin(clip, bench.seconds))
