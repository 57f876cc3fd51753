"""How like its source a film is: SSIM and VMAF against a lossless twin, and the bytes of its picture."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from render import graph
from render.slices import slices
from render.timeline import Timeline
from tests.benchmarks.bench import Bench
from tests.benchmarks.films import FPS, LIMIT_FILTER

# No multiple of what encoders repeat: of every P and four B frames, every fifth would be the best alone, and a worse
# film win by three points.
VMAF_EVERY = 7
_SAME_TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


@dataclass(frozen=True, slots=True)
class Quality:
    """SSIM over all planes, VMAF (every seventh frame), and bytes of the picture without container and sound."""

    ssim: float
    vmaf: float
    bytes: int


def our_twin(timeline: Timeline) -> list[str]:
    """FFmpeg arguments for the frames that our graph hands to the encoder, for a Timeline of one clip, no overlays."""
    (piece,) = slices(timeline)
    args = graph.slice_args(graph.Lowered(timeline), piece, 1, Path("unused"))
    return [*args[: args.index("-map")], "-map", "[picture]", "-frames:v", str(piece.frames), "-r", str(FPS)]


def limit_twin(clip: Path, seconds: float) -> list[str]:
    """FFmpeg arguments for the frames that the limit's command hands to the encoder."""
    return ["-i", str(clip), "-vf", LIMIT_FILTER, "-r", str(FPS), "-t", f"{seconds:g}", "-an"]


def judge(bench: Bench, film: Path, twin: list[str]) -> Quality:
    """Compare a film with its twin, which is made on the fly and piped: as a file it would be gigabytes.

    Raises:
        RuntimeError: FFmpeg could not compare them.
    """
    raw = ["-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "nut", "pipe:1"]
    # Without equal colour tags FFmpeg would convert one of them, raw frames having none, before it compares.
    same = f"settb=1/{FPS},setpts=N,format=yuv420p,{_SAME_TAGS},split"
    compare = (
        f"[0:v]{same}[a][b];[1:v]{same}[c][d];[a][c]ssim,nullsink;"
        f"[b][d]libvmaf=n_subsample={VMAF_EVERY}:n_threads=2:shortest=0"
    )
    twin_maker = subprocess.Popen(
        [bench.ffmpeg, "-nostdin", "-v", "error", *twin, *raw], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        judged = subprocess.run(
            [
                *(bench.ffmpeg, "-hide_banner", "-nostats", "-i", str(film), "-f", "nut", "-i", "pipe:0"),
                *("-filter_complex", compare, "-f", "null", "-"),
            ],
            stdin=twin_maker.stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    finally:
        if twin_maker.stdout is not None:
            twin_maker.stdout.close()
        twin_code = twin_maker.wait()
    ssim = re.search(r"SSIM .*All:([\d.]+)", judged.stderr)
    vmaf = re.search(r"VMAF score: ([\d.]+)", judged.stderr)
    if judged.returncode or twin_code or ssim is None or vmaf is None:
        raise RuntimeError(f"the films could not be compared: {judged.stderr[-1_500:]}")
    return Quality(float(ssim[1]), float(vmaf[1]), _picture_bytes(bench, film))


def _picture_bytes(bench: Bench, film: Path) -> int:
    copy = ["-map", "0:v:0", "-c", "copy", "-f", "data", "pipe:1"]
    done = subprocess.run(
        [bench.ffmpeg, "-nostdin", "-v", "error", "-i", str(film), *copy], stdout=subprocess.PIPE, check=True
    )
    return len(done.stdout)
