"""Template films: checks the names in a request, then finds its clips, track, logo and fonts and has it compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.errors import UnknownName
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from fonts_cache import FontCache, UnknownFont
from render.errors import FieldProblem, MediaError, NoClips
from render.probe import MediaInfo
from render.spec import TemplateSpec, parse_template
from render.template import Clip, compile_template, seeded_share
from render.timeline import Media, Timeline

RANDOM = "random"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a template film takes its material from."""

    library: Library
    catalogue: Catalogue
    fonts: FontCache
    probe: Callable[[Path], MediaInfo]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A film that is ready to be rendered, with the choices that were made, as the job's result lists them."""

    timeline: Timeline
    choices: dict[str, Any]
    warnings: tuple[str, ...]


def check(spec: TemplateSpec, library: Library, fonts: FontCache) -> list[FieldProblem]:
    """Find names in a request that stand for nothing: styles, tracks, logos, fonts."""
    found = _unknown("video.style", spec.video.style, library.clips, (RANDOM,))
    if spec.video.style == RANDOM and not library.styles():
        found.append(FieldProblem("video.style", "cannot be chosen: the library holds no clips yet", "string"))
    found += _unknown("audio.audio", spec.audio.audio, library.track, (RANDOM, NONE))
    if spec.logo is not None:
        found += _unknown("logo.name", spec.logo.name, library.logo, (NONE, ""))
    families = {f"text_overlays[{i}].font": words.font for i, words in enumerate(spec.text_overlays)}
    if spec.signature is not None:
        families["signature.font"] = spec.signature.font
    for field, family in families.items():
        found += _unknown_font(field, family, fonts)
    return found


def prepare(data: object, seed: int, sources: Sources) -> Prepared:
    """Choose material by the seed and compile the film.

    Raises:
        SpecError: the request is not valid (any more: a style may have gone since it was accepted).
        NoClips: no style that is asked for holds a clip that can be used.
    """
    spec = parse_template(data)
    gone = check(spec, sources.library, sources.fonts)
    if gone:
        raise NoClips("; ".join(f"{problem.field} {problem.message}" for problem in gone))
    warnings: list[str] = []
    track = _track(spec, seed, sources, warnings)
    logo = sources.library.logo(spec.logo.name) if spec.logo and spec.logo.name not in (NONE, "") else None
    style, timeline = _first_usable_style(spec, seed, track, logo, sources)
    choices = {"style": style, "music": track.path.name if track else None, "clips": _shots(timeline)}
    return Prepared(timeline, choices, tuple(warnings))


def _unknown(field: str, name: str, find: Callable[[str], Any], words: tuple[str, ...]) -> list[FieldProblem]:
    if name in words:
        return []
    try:
        find(name)
    except UnknownName as exc:
        return [FieldProblem(field, str(exc), "string")]
    return []


def _unknown_font(field: str, family: str, fonts: FontCache) -> list[FieldProblem]:
    try:
        fonts.path(family)
    except UnknownFont as exc:
        near = " or ".join(f'"{name}"' for name in exc.suggestions)
        hint = f" Did you mean {near}?" if near else ' Write "Arial" for one that is always there.'
        return [FieldProblem(field, f"is no font that is known here.{hint}", "string")]
    return []


def _track(spec: TemplateSpec, seed: int, sources: Sources, warnings: list[str]) -> MediaInfo | None:
    """The named track, or the first in the seed's order that can be heard.

    Raises:
        MediaError: the named track is broken.
    """
    name = spec.audio.audio
    if name == NONE:
        return None
    if name != RANDOM:
        return _heard(sources.library.track(name), sources)
    for track in sorted(sources.library.tracks().values(), key=lambda path: seeded_share(seed, "music", path.stem)):
        try:
            return _heard(track, sources)
        except MediaError as exc:
            warnings.append(f"a track was left out: {exc}")
    warnings.append("the library holds no track that can be used, so the film is silent")
    return None


def _heard(track: Path, sources: Sources) -> MediaInfo:
    info = sources.probe(track)
    if info.audio is None:
        raise MediaError(f"{track.name} holds no sound")
    return info


def _first_usable_style(
    spec: TemplateSpec, seed: int, track: MediaInfo | None, logo: Path | None, sources: Sources
) -> tuple[str, Timeline]:
    """Compile with the named style, or with the first in the seed's order that holds a usable clip."""
    styles = [spec.video.style]
    if spec.video.style == RANDOM:
        styles = sorted(sources.library.styles(), key=lambda style: seeded_share(seed, "style", style))
    for style in styles:
        try:
            clips = _usable(style, seed, sources)
            return style, compile_template(spec, seed, clips, track, logo, sources.fonts.path)
        except NoClips:
            continue
    names = ", ".join(f'"{style}"' for style in styles) or "the library"
    raise NoClips(f"no clip of {names} can be used; `vix library scan` says why")


def _usable(style: str, seed: int, sources: Sources) -> Iterator[Clip]:
    """Clips of a style in the seed's order; those on the skip list are left out, new ones looked at first.

    The order depends on each clip's name alone, so that a clip added later does not change the order of the others.
    """
    for path in sorted(sources.library.clips(style), key=lambda clip: seeded_share(seed, "clip", clip.name)):
        try:
            inspection = sources.catalogue.inspection(path)
        except (MediaError, OSError):
            continue
        if not inspection.defect and inspection.info is not None and inspection.info.video is not None:
            yield Clip(inspection.info, inspection.info.video, inspection.focus)


def _shots(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.content.path.name,
            "at_s": round(float(layer.start / timeline.rate), 3),
            "duration_s": round(float(layer.frames / timeline.rate), 3),
            "source_start_s": float(layer.content.start_s),
        }
        for layer in timeline.layers
        if isinstance(layer.content, Media)
    ]
