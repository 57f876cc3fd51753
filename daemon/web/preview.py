"""`POST /v1/preview`: one picture of a film that is not made, or where its overlays lie. It is drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from starlette.responses import Response

from daemon.errors import PreviewImpossible
from daemon.previews import Drawn
from daemon.web import parameters
from daemon.web.answers import Answer
from daemon.web.bodies import parse_body, read_body
from daemon.web.call import Call
from daemon.web.dry_run import compiled
from daemon.web.generate import KIND, checked
from daemon.web.services import Services
from render.errors import FieldProblem, MediaError, NoClips, SpecError
from render.seconds import frame_at, telling_second
from render.timeline import Timeline

SEED = "X-Vix-Seed"
SECOND = "X-Vix-Second"
# Without a seed, so that two looks at one request show the same film.
USUAL_SEED = 0


@dataclass(frozen=True, slots=True)
class _Sitting:
    """The film that is looked at, the second, and its seed."""

    timeline: Timeline
    second: Fraction
    seed: int
    warnings: tuple[str, ...]


async def preview(call: Call) -> Response:
    """Answer with the PNG of second `t`, or with JSON where `boxes` is asked for."""
    given = parameters.read(call, {"t": parameters.seconds, "boxes": parameters.switch})
    raw = await read_body(call.request)
    call.services.drawn.take(call.key_id, call.services.now())
    sitting = await call.blocking(_sit, call.services, raw, given.get("t"))
    if given.get("boxes", False):
        return Answer(await call.blocking(_boxes, call.services, sitting))
    drawn = await call.blocking(_drawn, call.services, sitting)
    headers = {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        SEED: str(sitting.seed),
        SECOND: f"{float(sitting.second):g}",
    }
    return Response(drawn.png, media_type="image/png", headers=headers)


def _sit(services: Services, raw: bytes, second: Fraction | None) -> _Sitting:
    body = parse_body(raw)
    spec = checked(services, body)
    seed = USUAL_SEED if spec.seed is None else spec.seed
    if second is not None and second > Fraction(str(spec.video.duration)):
        message = f"must not be later than the film's end at {spec.video.duration:g} s"
        raise SpecError([FieldProblem("t", message, "number")])
    try:
        prepared = compiled(services, KIND, _silent(body.value), seed)
    except (NoClips, MediaError) as exc:
        raise PreviewImpossible(exc.code, str(exc)) from exc
    if second is None:
        second = telling_second(prepared.timeline)
    return _Sitting(prepared.timeline, second, seed, prepared.warnings)


def _silent(data: Any) -> Any:
    """The same request without sound, so that a track nobody has looked at yet is no reason to show nothing."""
    return data | {"audio": {"audio": "none"}}


def _drawn(services: Services, sitting: _Sitting) -> Drawn:
    return services.previews.picture(sitting.timeline, frame_at(sitting.timeline, sitting.second))


def _boxes(services: Services, sitting: _Sitting) -> dict[str, Any]:
    timeline = sitting.timeline
    spots = services.previews.spots(timeline)
    return {
        "width": timeline.width,
        "height": timeline.height,
        "duration_s": float(timeline.duration_s),
        "second": float(sitting.second),
        "seed": sitting.seed,
        "overlays": [_overlay(spot, sitting.second) for spot in spots],
        "warnings": list(sitting.warnings),
    }


def _overlay(spot: dict[str, Any], second: Fraction) -> dict[str, Any]:
    """Lift how a text is set to the level of where it lies."""
    box, setting = spot["box"], spot["setting"] or {}
    place = {side: box[side] for side in ("x", "y", "w", "h")}
    there = spot["from_s"] <= second < spot["to_s"]
    times = {"from_s": spot["from_s"], "to_s": spot["to_s"], "is_shown": there}
    return {"kind": spot["kind"], "box": place, **times, **{k: v for k, v in setting.items() if k != "type"}}
