"""`?dry_run=1`: what a request would become, without a job, a picture drawn or FFmpeg started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.errors import NotLookedAt
from daemon.estimate import rate, work
from daemon.kinds import KINDS
from daemon.kinds.base import Prepared, Sources
from daemon.orders import draw_seed
from daemon.web.services import Services
from render.errors import MediaError, NoClips
from render.listen import Track
from render.plain import to_plain


def try_out(services: Services, kind: str, data: object, spec: Any) -> dict[str, Any]:
    """Choose and compile with what is known of the library, and say what it would take.

    `timeline` is null, with a warning that says why, where a file that would be chosen was never looked at, or where
    the film could not be made.
    """
    seed = draw_seed(spec)
    timeline, warnings = None, list(KINDS[kind].warnings(spec, services.fonts))
    try:
        prepared = compiled(services, kind, data, seed)
        timeline, warnings = _named(to_plain(prepared.timeline), services.library.root), list(prepared.warnings)
    except NotLookedAt as exc:
        warnings = [*warnings, f"The Timeline is not known yet: {exc}"]
    except (NoClips, MediaError) as exc:
        warnings = [*warnings, f"This film cannot be made: {exc}"]
    output = spec.output
    px = output.width * output.height
    amount = work(spec.video.duration, px, output.fps, output.quality, spec.video.smooth)
    estimate = {
        "render_s": round(rate(services.views.speeds(50)) * amount, 1),
        "waiting": services.views.waiting(),
    }
    return {"timeline": timeline, "estimate": estimate, "warnings": warnings, "seed": seed}


def compiled(services: Services, kind: str, data: object, seed: int) -> Prepared:
    """Choose and compile with what is known of the library.

    Raises:
        NotLookedAt: a file that would be chosen was never looked at.
        NoClips, MediaError: the film cannot be made.
    """

    def known(path: Path) -> Track:
        return services.catalogue.track(path, _refuse)

    sources = Sources(services.library, services.catalogue, services.fonts, known)
    return KINDS[kind].prepare(data, seed, sources)


def _refuse(path: Path) -> Track:
    raise NotLookedAt(path.name)


def _named(value: Any, root: Path) -> Any:
    """Write files as they are named in the library, or by name alone: where they lie is nobody's business."""
    if isinstance(value, list):
        return [_named(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    named = {name: _named(item, root) for name, item in value.items()}
    if isinstance(path := value.get("path"), str):
        named["path"] = _file(Path(path), root)
    if isinstance(fonts := value.get("fonts"), list):
        named["fonts"] = [_file(Path(font), root) for font in fonts]
    return named


def _file(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name
