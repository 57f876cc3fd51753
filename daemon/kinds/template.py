"""Template films: reads a request and the names in it, finds clips, track, logo and fonts, has it compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daemon.errors import UnknownName
from daemon.kinds.base import Prepared, Sources
from daemon.kinds.lettering import Lettering, warnings_of
from daemon.sources.library import Library
from fonts_cache import FontCache, UnknownFont
from render.errors import FieldProblem, MediaError, NoClips, SpecError
from render.listen import Track
from render.shots import Clip, seeded_share
from render.spec import MAX_NAME, MAX_TEXTS, TemplateSpec, parse_template
from render.template import compile_template, music_level
from render.timeline import Media, Timeline

RANDOM = "random"
NONE = "none"


def read(data: object, library: Library, fonts: FontCache) -> TemplateSpec:
    """Read a request and make sure that every style, track, logo and font it names is there.

    Raises:
        SpecError: with every wrong field at once, of either sort.
    """
    problems: list[FieldProblem] = []
    spec = None
    try:
        spec = parse_template(data)
    except SpecError as exc:
        problems += exc.problems
    wrong = {problem.field for problem in problems}
    problems += [problem for problem in _unknown_names(data, library, fonts) if problem.field not in wrong]
    if problems or spec is None:
        raise SpecError(problems)
    return spec


def warnings(spec: TemplateSpec, fonts: FontCache) -> tuple[str, ...]:
    """What to tell whoever asks for a film, before it is made."""
    return warnings_of([*spec.text_overlays, *([spec.signature] if spec.signature else [])], fonts)


def prepare(data: object, seed: int, sources: Sources) -> Prepared:
    """Choose material by the seed and compile the film.

    Raises:
        SpecError: the request is not valid, or not any more: a style may have gone since it was accepted.
        NoClips: no style that is asked for holds a clip that can be used.
        MediaError: the named track or logo is broken.
    """
    spec = read(data, sources.library, sources.fonts)
    notes: list[str] = []
    track = _track(spec, seed, sources, notes)
    logo = sources.library.logo(spec.logo.name) if spec.logo and spec.logo.name not in (NONE, "") else None
    lettering = Lettering(sources.fonts)
    style, timeline = _first_usable_style(spec, seed, track, logo, sources, lettering)
    if track is not None and (note := music_level(spec.audio, track, timeline.duration_s).note):
        notes.append(note)
    notes += _shown_again(style, timeline, sources)
    choices = {"style": style, "music": track.path.name if track else None, "clips": _shots(timeline)}
    return Prepared(timeline, choices, (*notes, *lettering.warnings()))


def _unknown_names(data: object, library: Library, fonts: FontCache) -> Iterator[FieldProblem]:
    """Find names that stand for nothing. Works on the bare JSON, so that other mistakes do not hide these."""
    style = _string(data, "video", "style", default=RANDOM)
    if style == RANDOM and not library.styles():
        yield FieldProblem("video.style", "cannot be chosen: the library holds no clips yet", "string")
    yield from _unknown("video.style", style, library.clips, (RANDOM,))
    yield from _unknown("audio.audio", _string(data, "audio", "audio", default=RANDOM), library.track, (RANDOM, NONE))
    yield from _unknown("logo.name", _string(data, "logo", "name", default=NONE), library.logo, (NONE, ""))
    texts = data.get("text_overlays") if isinstance(data, dict) else None
    words = {
        f"text_overlays[{i}].font": text for i, text in enumerate(texts[:MAX_TEXTS] if isinstance(texts, list) else [])
    }
    words["signature.font"] = data.get("signature") if isinstance(data, dict) else None
    for field, text in words.items():
        if family := _string(text, "font", default=""):
            yield from _unknown_font(field, family, fonts)


def _string(data: object, *path: str, default: str) -> str:
    """A string inside JSON; the default where there is none, or one that is refused for itself."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str) and len(data) <= MAX_NAME else default


def _unknown(field: str, name: str, find: Callable[[str], Any], words: tuple[str, ...]) -> Iterator[FieldProblem]:
    if name in words:
        return
    try:
        find(name)
    except UnknownName as exc:
        yield FieldProblem(field, str(exc), "string")


def _unknown_font(field: str, family: str, fonts: FontCache) -> Iterator[FieldProblem]:
    try:
        fonts.path(family)
    except UnknownFont as exc:
        near = " or ".join(f'"{name}"' for name in exc.suggestions)
        hint = f" Did you mean {near}?" if near else ' Write "Arial" for one that is always there.'
        yield FieldProblem(field, f"is no font that is known here.{hint}", "string")


def _track(spec: TemplateSpec, seed: int, sources: Sources, notes: list[str]) -> Track | None:
    """The named track, or the first in the seed's order that can be heard.

    Raises:
        MediaError: the named track is broken.
    """
    name = spec.audio.audio
    if name == NONE:
        return None
    if name != RANDOM:
        try:
            return sources.listen(sources.library.track(name))
        except UnknownName as exc:
            raise MediaError(f"audio.audio {exc}") from exc
    for track in sorted(sources.library.tracks().values(), key=lambda path: seeded_share(seed, "music", path.stem)):
        try:
            return sources.listen(track)
        except MediaError as exc:
            notes.append(f"a track was left out: {exc}")
    notes.append("the library holds no track that can be used, so the film is silent")
    return None


def _first_usable_style(
    spec: TemplateSpec,
    seed: int,
    track: Track | None,
    logo: Path | None,
    sources: Sources,
    lettering: Lettering,
) -> tuple[str, Timeline]:
    """Compile with the named style, or with the first in the seed's order that holds a usable clip."""
    styles = [spec.video.style]
    if spec.video.style == RANDOM:
        styles = sorted(sources.library.styles(), key=lambda style: seeded_share(seed, "style", style))
        fresh = next((style for style in styles if _has_fresh(style, seed, sources)), None) if sources.shown else None
        styles.sort(key=lambda style: style != fresh)
    for style in styles:
        try:
            clips = _usable(style, seed, sources)
            return style, compile_template(spec, seed, clips, track, logo, lettering)
        except (NoClips, UnknownName):
            continue
    names = ", ".join(f'"{style}"' for style in styles) or "the library"
    raise NoClips(f"no clip of {names} can be used; `vix library scan` says why")


def _usable(style: str, seed: int, sources: Sources) -> Iterator[Clip]:
    """Clips of a style in the seed's order; those on the skip list are left out, new ones looked at first.

    The order depends on each clip's name alone, so that a clip added later does not change the order of the others;
    what was shown lately comes last, the latest at the very end.
    """

    def place(clip: Path) -> tuple[int, float]:
        return _shown_lately(style, clip.name, sources), seeded_share(seed, "clip", clip.name)

    for path in sorted(sources.library.clips(style), key=place):
        if (clip := _clip(path, sources)) is not None:
            yield clip


def _clip(path: Path, sources: Sources) -> Clip | None:
    """A clip, or None where it cannot be used."""
    try:
        inspection = sources.catalogue.inspection(path)
    except FileNotFoundError:
        return None
    if inspection.defect or inspection.info is None or inspection.info.video is None:
        return None
    return Clip(inspection.info, inspection.info.video, inspection.focus)


def _shown_lately(style: str, name: str, sources: Sources) -> int:
    """0 for a clip that was not shown lately, else the more the later it was."""
    clip = f"{style}/{name}"
    return len(sources.shown) - sources.shown.index(clip) if clip in sources.shown else 0


def _has_fresh(style: str, seed: int, sources: Sources) -> bool:
    """Whether a style has a clip that was not shown lately and can be used; the first in the seed's order is looked at
    first, as the film would take it."""
    fresh = [clip for clip in sources.library.clips(style) if not _shown_lately(style, clip.name, sources)]
    fresh.sort(key=lambda clip: seeded_share(seed, "clip", clip.name))
    return any(_clip(path, sources) is not None for path in fresh)


def _shown_again(style: str, timeline: Timeline, sources: Sources) -> list[str]:
    names = dict.fromkeys(shot["name"] for shot in _shots(timeline))
    again = [name for name in names if _shown_lately(style, name, sources)]
    if not again:
        return []
    return [f"the page's latest posts have shown {', '.join(again)} already; the style has too few other clips"]


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
