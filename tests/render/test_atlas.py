"""Overlays drawn into one picture: even cells, right places, nothing drawn that cannot be seen."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fonts_cache import FontCache
from render.atlas import lower
from render.errors import TextError
from render.graph import Lowered, Sprite
from render.layout import Canvas
from render.spec import parse_template
from render.template import compile_template
from render.timeline import Align, Box, Layer, Margin, Media, Motion, Picture, Place, Shadow, Solid, Text, Timeline
from tests.render.test_template import clip

ARIMO = FontCache(Path("/nonexistent"), system=()).path("Arial")
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def text(words: str, **more: Any) -> Text:
    settings: dict[str, Any] = {"size_px": 40.0, "min_size_px": 10.0, "max_size_px": 40.0}
    return Text(words, (ARIMO,), max_width_px=400, max_height_px=600, color=(255, 255, 255, 255), **settings | more)


def timeline(*layers: Layer, size: tuple[int, int] = (400, 600)) -> Timeline:
    return Timeline(*size, Fraction(30), 30, layers)


def plain(path: Path, color: tuple[int, int, int] = RED, size: tuple[int, int] = (50, 30)) -> Path:
    Image.new("RGB", size, color).save(path)
    return path


def layer(content: Any, place: Place | None = None, **more: Any) -> Layer:
    return Layer(content, 0, 30, place or Place(), **more)


def cut_out(lowered: Lowered, sprite: Sprite) -> NDArray[np.uint8]:
    """A sprite's cell: [h, w, RGBA]."""
    assert lowered.atlas is not None
    cell = sprite.cell
    with Image.open(lowered.atlas) as atlas:
        assert atlas.mode == "RGBA"
        return np.asarray(atlas.crop((cell.x, cell.y, cell.x + cell.w, cell.y + cell.h)))


def seen_at(lowered: Lowered, sprite: Sprite) -> Box:
    """Where on the canvas a sprite's visible pixels are."""
    ys, xs = np.nonzero(cut_out(lowered, sprite)[..., 3])
    return Box(
        sprite.x + int(xs.min()), sprite.y + int(ys.min()), int(xs.max() - xs.min()) + 1, int(ys.max() - ys.min()) + 1
    )


def test_a_film_without_overlays_has_no_atlas(tmp_path: Path) -> None:
    media = Media(Path("/c.mp4"), Fraction(0), Fraction(1), Fraction(30), 400, 600, Box(0, 0, 400, 600))
    found = timeline(layer(media), layer(Solid((0, 0, 0, 255))))
    assert lower(found, tmp_path) == (Lowered(found), ())
    assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    size=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    x=st.sampled_from(["start", "center", "end"]) | st.integers(-100, 500),
    y=st.sampled_from(["start", "center", "end"]) | st.integers(-100, 700),
    margin=st.tuples(*[st.integers(0, 60)] * 4),
)
def test_a_picture_lies_at_its_pixel_in_an_even_cell(
    tmp_path: Path, size: tuple[int, int], x: Align | int, y: Align | int, margin: tuple[int, int, int, int]
) -> None:
    where = Place(x, y, Margin(*margin))
    lowered, _ = lower(timeline(layer(Picture(plain(tmp_path / "p.png", size=size)), where)), tmp_path)
    [sprite] = lowered.sprites
    assert [side % 2 for side in (sprite.x, sprite.y, *(getattr(sprite.cell, n) for n in "xywh"))] == [0] * 6
    seen = seen_at(lowered, sprite)
    assert (seen.w, seen.h) == size
    assert (seen.x, seen.y) == Canvas(400, 600).top_left(where, *size)


def test_pixels_that_were_added_have_the_neighbours_colour(tmp_path: Path) -> None:
    lowered, _ = lower(timeline(layer(Picture(plain(tmp_path / "p.png", size=(5, 5))), Place(103, 203))), tmp_path)
    cell = cut_out(lowered, lowered.sprites[0])
    assert (cell[..., :3] == RED).all()
    assert np.count_nonzero(cell[..., 3]) == 25


def test_every_overlay_finds_itself_again_in_order(tmp_path: Path) -> None:
    colors = [((37 * n) % 256, (91 * n) % 256, (53 * n) % 256) for n in range(1, 40)]
    layers = [
        layer(Picture(plain(tmp_path / f"{n}.png", color, size=(20 + 3 * n, 90 - 2 * n))), Place("start", "start"))
        for n, color in enumerate(colors)
    ]
    lowered, _ = lower(timeline(*layers), tmp_path)
    assert [sprite.layer for sprite in lowered.sprites] == layers
    for number, (sprite, color) in enumerate(zip(lowered.sprites, colors, strict=True)):
        cell = cut_out(lowered, sprite)
        assert (cell[cell[..., 3] == 255][:, :3] == color).all()
        assert seen_at(lowered, sprite) == Box(0, 0, 20 + 3 * number, 90 - 2 * number)
    assert sorted(path.suffix for path in tmp_path.iterdir()).count(".png") == len(colors) + 1, "one file for all"


def test_what_is_wider_than_the_canvas_has_room(tmp_path: Path) -> None:
    lowered, _ = lower(timeline(layer(Picture(plain(tmp_path / "p.png", size=(1001, 20))))), tmp_path)
    assert (lowered.sprites[0].cell.w, seen_at(lowered, lowered.sprites[0]).w) == (1002, 1001)


def test_opacity_is_in_the_picture(tmp_path: Path) -> None:
    path = plain(tmp_path / "p.png")
    lowered, _ = lower(timeline(*(layer(Picture(path), opacity=share) for share in (1.0, 0.5, 0.004))), tmp_path)
    assert [int(cut_out(lowered, sprite)[..., 3].max()) for sprite in lowered.sprites] == [255, 128, 1]


def test_what_cannot_be_seen_is_not_drawn(tmp_path: Path) -> None:
    unseen = [layer(text(words)) for words in ("", "  \n ", "\u200b")]
    unseen.append(layer(Picture(plain(tmp_path / "p.png")), opacity=0))
    lowered, warnings = lower(timeline(*unseen, layer(text("seen"))), tmp_path)
    assert [sprite.layer for sprite in lowered.sprites] == [layer(text("seen"))]
    assert warnings == ()


def test_a_shadow_moves_the_cell_and_not_the_letters(tmp_path: Path) -> None:
    shadow = Shadow((0, 0, 0, 255), 9, -7, 4)
    both = timeline(layer(text("HH")), layer(text("HH", shadow=shadow)))
    lowered, _ = lower(both, tmp_path)
    white = []
    for sprite in lowered.sprites:
        cell = cut_out(lowered, sprite).astype(int)
        ys, xs = np.nonzero((cell[..., 3] > 200) & (cell[..., 0] > 200))
        white.append(
            [sprite.x + int(xs.min()), sprite.x + int(xs.max()), sprite.y + int(ys.min()), sprite.y + int(ys.max())]
        )
    assert white[0] == white[1]


def test_a_text_drawn_otherwise_than_asked_is_told(tmp_path: Path) -> None:
    lowered, warnings = lower(timeline(layer(text("Donaudampfschifffahrt" * 3))), tmp_path)
    assert len(lowered.sprites) == 1
    assert any("instead of 40 so that it fits" in warning for warning in warnings)
    assert lower(timeline(layer(text("plain"))), tmp_path)[1] == ()


def test_too_much_to_hold_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = plain(tmp_path / "p.png", size=(2000, 2000))
    with pytest.raises(TextError, match="too large"):
        lower(timeline(*[layer(Picture(path))] * 5), tmp_path)
    assert not (tmp_path / "atlas.png").exists()


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"no picture")
    with pytest.raises(TextError, match=r"logo\.png"):
        lower(timeline(layer(Picture(tmp_path / "logo.png"))), tmp_path)


def test_tall_and_wide_overlays_in_turn_waste_no_room(tmp_path: Path) -> None:
    shapes = [(2, 900) if number % 2 else (1000, 2) for number in range(60)]
    layers = [layer(Picture(plain(tmp_path / f"{number}.png", size=size))) for number, size in enumerate(shapes)]
    lowered, _ = lower(timeline(*layers, size=(1080, 1920)), tmp_path)
    assert lowered.atlas is not None
    with Image.open(lowered.atlas) as atlas:
        assert atlas.width * atlas.height < 2_000_000
    assert [sprite.layer for sprite in lowered.sprites] == layers
    for sprite in lowered.sprites:
        assert cut_out(lowered, sprite)[..., 3].any()


def test_what_moves_has_a_file_of_its_own_and_keeps_its_place_among_the_others(tmp_path: Path) -> None:
    still = layer(Picture(plain(tmp_path / "red.png")))
    moving = layer(text("abcd"), enter=Motion("type", 8), opacity=0.5)
    lowered, warnings = lower(timeline(still, moving, still), tmp_path)
    assert [sprite.reel is not None for sprite in lowered.sprites] == [False, True, False]
    assert warnings == ()
    sprite = lowered.sprites[1]
    assert sprite.reel is not None
    frames = np.fromfile(sprite.reel.path, np.uint8).reshape(9, sprite.cell.h, sprite.cell.w, 4)
    assert [int(frame[..., 3].max()) for frame in frames[2:]] == [128] * 7
    amounts = [int(frame[..., 3].sum()) for frame in frames]
    assert amounts[0] == 0
    assert amounts == sorted(amounts)


def test_a_text_that_may_shrink_is_no_warning_and_one_that_had_to_is(tmp_path: Path) -> None:
    data = {"text": "much too long for its place", "max_width": 200}
    for more, said in (({"font_size": 90}, 1), ({"fit": {"min": 10, "max": 90}}, 0)):
        spec = parse_template({"text_overlays": [{**data, **more}], "output": {"width": 270, "height": 480}})
        compiled = compile_template(spec, 1, [clip("a", 60)], None, None, lambda *_: (ARIMO,))
        _, warnings = lower(replace(compiled, layers=compiled.layers[-1:]), tmp_path)
        assert len(warnings) == said, warnings
