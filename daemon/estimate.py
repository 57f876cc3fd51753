"""How long until a film is finished, learned from the films before it. Pure: numbers in, seconds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from daemon.jobs import FULL_HD_PX, Job, Status

# Seconds per unit of work before there is anything to learn from: a film second of 1080x1920 takes about half a second
# on two cores.
PRIOR_RATE = 0.5 / FULL_HD_PX
# About how much longer a frame takes than one of quality social.
_WEIGHTS = {"draft": 0.8, "social": 1.0, "high": 3.0}
# About how much longer it takes where every second frame is made by optical flow, encoding it at `social`.
_FLOW = 6.0


@dataclass(frozen=True, slots=True)
class Speed:
    """What one finished job took: units of work, and wall seconds."""

    work: float
    render_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """The film being made now: how much work it is, 0 to 100, and seconds since it was claimed."""

    work: float
    progress: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """What is before a job: its place (1 is next, None when it does not wait), the work of those before it, and the
    films being made now, by one worker each; where the job is one of them, only that."""

    position: int | None
    work_ahead: float
    running: tuple[Running, ...]


def work(film_s: float, pixels: float, fps: float, quality: str, smooth: str = "blend") -> float:
    """Say how much a film is to make: pixels of all its frames at 30 a second, weighted by quality, and with what it
    takes to make frames by optical flow, as if all clips needed it."""
    weight = _WEIGHTS.get(quality, 1.0) + (_FLOW - 1 if smooth == "flow" else 0)
    return film_s * pixels * fps / 30 * weight


def rate(speeds: Sequence[Speed]) -> float:
    """Wall seconds per unit of work: the median, so that one stalled film does not spoil the answer."""
    known = [speed.render_s / speed.work for speed in speeds if speed.work > 0 and speed.render_s > 0]
    return median(known) if known else PRIOR_RATE


def rest_s(running: Running, seconds_per_work: float) -> float:
    """Seconds until the running film is finished.

    The whole takes `expected` by experience and `elapsed / done` by its own pace; the further it is, the more its own
    pace counts, and not at all at its start, when the elapsed time was spent on preparation:
    whole = (1 - done^2) * expected + done^2 * elapsed / done.
    """
    done = running.progress / 100
    expected = seconds_per_work * running.work
    return (1 - done) * ((1 - done**2) * expected + done * running.elapsed_s)


def remaining_s(job: Job, line: Line, speeds: Sequence[Speed]) -> float | None:
    """Seconds until `job` is finished, 0 when it has ended, None where that cannot be known."""
    if job.status.is_final:
        return 0.0
    seconds_per_work = rate(speeds)
    running_s = sum(rest_s(running, seconds_per_work) for running in line.running)
    if job.status is Status.RENDERING:
        return round(running_s, 1)
    if job.status is Status.IN_QUEUE:
        ahead_s = (running_s + seconds_per_work * line.work_ahead) / max(1, len(line.running))
        return round(ahead_s + seconds_per_work * job.work, 1)
    return None
