"""Fallback fonts, emoji, spacing and gradients as drawn, and whole requests of any text: nothing leaves its place."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from fonts_cache import FontCache
from fonts_cache.fallback import chain
from render.atlas import lower
from render.layout import Canvas
from render.probe import MediaInfo, VideoInfo
from render.shots import Clip
from render.spec import parse_template
from render.template import compile_template
from render.text import Drawn, draw
from render.timeline import Gradient, Rgba, Shadow, Stroke, Text, TextBox, Timeline

FONTS = FontCache(Path("/nonexistent"), system=())
WHITE: Rgba = (255, 255, 255, 255)
BLACK: Rgba = (0, 0, 0, 255)
RED: Rgba = (255, 0, 0, 255)
BLUE: Rgba = (0, 0, 255, 255)


def text(words: str, size_px: float = 60, family: str = "Arial", weight: int = 400, **rest: Any) -> Text:
    fields: dict[str, Any] = {"max_size_px": 0, "max_width_px": 2000, "max_height_px": 1600, "color": WHITE} | rest
    fonts = chain(FONTS, family, weight, False, words).paths
    return Text(text=words, fonts=fonts, size_px=size_px, min_size_px=10, **fields)


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    box = image.getchannel("A").getbbox()
    assert box is not None
    return box


def colours(drawn: Drawn) -> set[tuple[int, ...]]:
    """Colours of what is solid, coarsely."""
    pixels = drawn.image.get_flattened_data()
    return {tuple(part // 64 for part in pixel[:3]) for pixel in pixels if isinstance(pixel, tuple) and pixel[3] > 250}


# --- scripts ---

SCRIPTS = {
    "Latin": "Ångström",
    "Greek": "Καλημέρα",
    "Cyrillic": "Привет",
    "Arabic": "مرحبا بالعالم",
    "Hebrew": "שלום עולם",
    "Hindi": "नमस्ते दुनिया क्षत्रिय",
    "Thai": "สวัสดีครับ",
    "simplified Chinese": "视频音乐，你好！",  # noqa: RUF001
    "traditional Chinese": "臺灣的影片與音樂",
    "Japanese": "こんにちは、世界「テスト」",
    "Korean": "안녕하세요 세계",
    "emoji": "😀👍🏽👩🏽\u200d🚀👨\u200d👩\u200d👧\u200d👦🇩🇪1\ufe0f\u20e3❤\ufe0f🫨"
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("family", ["Arial", "Comic Neue"])
def test_scripts_are_drawn_without_a_network(script: str, family: str) -> None:
    """None of the fonts' boxes for what they have not: all letters of a line do not look alike."""
    drawn = draw(text(SCRIPTS[script], family=family))
    assert drawn.missing == ()
    left, top, right, bottom = ink(drawn.image)
    assert right - left > 4 * 20
    assert bottom - top > 20


def test_letters_that_are_joined_stay_joined() -> None:
    """An Arabic word is narrower than its letters drawn alone, spaced or not."""
    word = "سلام"
    alone = sum(draw(text(letter)).box.w for letter in word)
    assert draw(text(word)).box.w < 0.9 * alone
    assert draw(text(word, letter_spacing_px=40)).box.w == draw(text(word)).box.w


def test_chinese_characters_have_the_forms_of_the_language_around_them() -> None:
    """U+76F4 is written otherwise in Japan; the text's kana tell."""
    plain, beside_kana, beside_hangul = (
        draw(text(words, 100, align="start")).image.crop((0, 0, 100, 120)) for words in ("直", "直の", "直한")
    )
    assert ImageChops.difference(plain, beside_kana).getbbox() is not None
    assert ImageChops.difference(plain, beside_hangul).getbbox() is not None


def test_fallbacks_that_have_no_bold_are_made_bolder_beside_bold_letters() -> None:
    """One weight of Chinese ships. Its strokes grow, its letters keep their places; what is bold by itself stays."""
    regular, bold = draw(text("漢字", 100)), draw(text("漢字", 100, weight=700))
    assert sum(bold.image.getchannel("A").tobytes()) > 1.2 * sum(regular.image.getchannel("A").tobytes())
    assert bold.box.w == pytest.approx(regular.box.w, abs=4)
    arabic = text("مرحبا", 100, weight=700)
    alone = draw(replace(arabic, fonts=arabic.fonts[1:]))
    assert ink(alone.image)[2] - ink(alone.image)[0] == pytest.approx(
        ink(draw(arabic).image)[2] - ink(draw(arabic).image)[0], abs=1
    )


def test_thai_breaks_between_words() -> None:
    """`hello` and `world`, which no blank parts, on two lines: each as wide as when drawn alone."""
    hello, world = draw(text("สวัสดี", 60)), draw(text("ชาวโลก", 60))
    both = draw(text("สวัสดีชาวโลก", 60, max_width_px=max(hello.box.w, world.box.w) + 12))
    assert both.size_px == 60
    assert both.lines == 2


# --- emoji ---


@pytest.mark.parametrize("size_px", [24, 200])
def test_emoji_are_in_colour_at_any_size_and_as_large_as_the_text(size_px: float) -> None:
    drawn = draw(text("😀", size_px, line_height=1.6))
    left, top, right, bottom = ink(drawn.image)
    assert 0.9 <= (right - left) / size_px <= 1.2
    assert 0.9 <= (bottom - top) / size_px <= 1.2
    assert (3, 3, 1) in colours(drawn)
    cap = ink(draw(text("H", size_px, line_height=1.6)).image)
    assert abs((top + bottom) / 2 - (cap[1] + cap[3]) / 2) < 0.08 * size_px


@pytest.mark.parametrize(
    "sequence", ["👨\u200d👩\u200d👧\u200d👦", "🇩🇪", "👍🏿", "1\ufe0f\u20e3", "🏳\ufe0f\u200d🌈", "❤\ufe0f\u200d🔥"]
)
def test_sequences_are_one_picture(sequence: str) -> None:
    assert draw(text(sequence, 100)).box.w <= 120


def test_a_skin_tone_changes_the_picture() -> None:
    light, dark = (draw(text(words, 100)).image.convert("RGB") for words in ("👍🏻", "👍🏿"))
    assert ImageChops.difference(light, dark).getbbox() is not None


def test_emoji_keep_their_colours_and_have_a_shadow_but_no_stroke() -> None:
    plain = draw(text("🔥", 100))
    dressed = draw(text("🔥", 100, color=BLUE, stroke=Stroke(BLACK, 8), gradient=Gradient((BLUE, BLUE))))
    assert colours(dressed) == colours(plain)
    shadowed = draw(text("🔥", 100, shadow=Shadow(RED, 0, 300, 0)))
    left, top, right, _ = ink(plain.image)
    below = shadowed.image.getpixel((shadowed.box.x + (left + right) // 2, shadowed.box.y + top + 300 + 60))
    assert below == RED


def test_half_transparent_texts_have_half_transparent_emoji() -> None:
    assert draw(text("a😀", 80, color=(255, 255, 255, 100))).image.getchannel("A").getextrema() == (0, 100)


def test_a_picture_that_is_larger_than_its_room_is_cut_off() -> None:
    drawn = draw(text("😀", 300, max_width_px=40, max_height_px=30))
    assert (drawn.box.w, drawn.box.h) <= (40, 30)


# --- spacing and gradients ---


def test_letters_are_set_apart_by_as_much_as_asked() -> None:
    plain, wide, tight = (draw(text("HHHH", 100, letter_spacing_px=px)).box.w for px in (0, 20, -10))
    assert wide - plain == pytest.approx(3 * 20, abs=2)
    assert plain - tight == pytest.approx(3 * 10, abs=2)


def test_spaced_letters_keep_their_kerning_and_lose_their_ligatures() -> None:
    kerned, apart = (draw(text(words, 100, letter_spacing_px=1)).box.w for words in ("AVAV", "AHAH"))
    plain_kerned, plain_apart = (draw(text(words, 100)).box.w for words in ("AVAV", "AHAH"))
    assert apart - kerned == pytest.approx(plain_apart - plain_kerned, abs=3)
    ligature = draw(text("fi", 200, family="Playfair Display", letter_spacing_px=60)).image.getchannel("A")
    columns = [ligature.crop((x, 0, x + 1, ligature.height)).getbbox() is None for x in range(ligature.width)]
    assert any(columns[20:-20])


@pytest.mark.parametrize(
    ("angle", "first", "second"),
    [
        (180, (0.5, 0.05), (0.5, 0.95)),
        (0, (0.5, 0.95), (0.5, 0.05)),
        (90, (0.02, 0.5), (0.98, 0.5)),
        (-45, (0.97, 0.95), (0.03, 0.05)),
    ],
)
def test_a_gradient_goes_from_colour_to_colour(
    angle: float, first: tuple[float, float], second: tuple[float, float]
) -> None:
    """Across a full block, which is all ink, from end to end; half way it is half of each."""
    drawn = draw(text("\u2588", 200, family="Arimo", gradient=Gradient((RED, BLUE), angle)))
    left, top, right, bottom = ink(drawn.image)

    def at(share: tuple[float, float]) -> tuple[int, ...]:
        pixel = drawn.image.getpixel((left + int(share[0] * (right - left)), top + int(share[1] * (bottom - top))))
        assert isinstance(pixel, tuple)
        return pixel

    assert at(first)[0] > 230
    assert at(second)[2] > 230
    assert at((0.5, 0.5))[:3] == pytest.approx((127, 0, 127), abs=4)


def test_a_gradient_with_a_stroke_leaves_the_stroke_its_colour() -> None:
    drawn = draw(text("I", 200, stroke=Stroke(BLACK, 8), gradient=Gradient((RED, BLUE), 180)))
    left, top, _, bottom = ink(drawn.image)
    assert drawn.image.getpixel((left + 4, (top + bottom) // 2)) == BLACK
    assert colours(drawn) >= {(0, 0, 0), (3, 0, 0), (0, 0, 3)}


# --- the first letters of a text ---

STYLES: dict[str, dict[str, Any]] = {
    "plain": {},
    "dressed": {"stroke": Stroke(BLACK, 4), "shadow": Shadow(BLACK, 3, 3, 3), "gradient": Gradient((RED, BLUE))},
    "in a box": {"box": TextBox(BLACK, 20, 8)},
    "spaced": {"letter_spacing_px": 6},
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("words", ["Hello you", "שלום עולם", "a مرحبا 12 😀 b", "two\nlines"])
def test_typing_moves_nothing(words: str, style: str) -> None:
    """Every part is as large as the whole, has no ink where the whole has none, and more of it the longer it is."""
    drawn = draw(text(words, 80, **STYLES[style]))
    parts = [drawn.typed(share / 8) for share in range(9)]
    assert {part.size for part in parts} == {drawn.image.size}
    assert parts[-1].tobytes() == drawn.image.tobytes()
    covered = [sum(part.getchannel("A").tobytes()) for part in parts]
    assert covered == sorted(covered)
    assert covered[0] < covered[4] < covered[8] or style == "in a box"
    # The last letter typed of an Arabic word has the shape of one at an end, which is another than inside the word.
    allowed = 0.05 if "م" in words else 0.005
    for part in parts:
        stray = ImageChops.subtract(part.getchannel("A"), drawn.image.getchannel("A"))
        assert sum(stray.tobytes()) < allowed * covered[-1]


def test_typing_begins_where_reading_does() -> None:
    latin, hebrew = (draw(text(words, 80)) for words in ("Hello you", "שלום עולם"))
    assert ink(latin.typed(0.3))[2] < latin.image.width / 2
    assert ink(hebrew.typed(0.3))[0] > hebrew.image.width / 2
    assert latin.typed(0.0).getchannel("A").getbbox() is None


# --- whole requests ---

VIDEO = VideoInfo(
    width=1080, height=1920, rate=Fraction(30), duration_s=Fraction(60), frames=1800, sar=Fraction(1), matrix="bt709",
    full_range=False, hdr="", codec="h264", pixel_format="yuv420p",
)  # fmt: skip
CLIP = Clip(MediaInfo(Path("/clip.mp4"), VIDEO, None), VIDEO)


def compiled(data: dict[str, Any]) -> Timeline:
    def font(family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]:
        return chain(FONTS, family, weight, italic, text).paths

    return compile_template(parse_template(data), 1, [CLIP], None, None, font)


some_script = st.sampled_from(
    "".join(SCRIPTS.values()) + " -\n\t\r\u200b\u200d\ufe0f\ufe0e\u0301\u202e\u2067\u00ad\x00"
)
words_of_any_kind = st.text(st.characters(exclude_categories=["Cs"]) | some_script, min_size=1, max_size=60) | st.text(
    some_script, max_size=60
)
spots = st.sampled_from(["top", "center", "bottom"]), st.sampled_from(["left", "center", "right"])


@settings(max_examples=80, deadline=None)
@given(
    words=words_of_any_kind,
    place=st.tuples(*spots) | st.tuples(st.integers(-100, 1200), st.integers(-100, 2000)),
    margin=st.lists(st.integers(0, 300), min_size=4, max_size=4),
    size=st.integers(8, 300),
    fit=st.none() | st.tuples(st.integers(4, 60), st.integers(60, 400)),
    style=st.fixed_dictionaries(
        {},
        optional={
            "letter_spacing": st.integers(-50, 200),
            "gradient": st.just({"colors": ["red", "blue"], "angle": 30}),
            "stroke": st.just({"width": 5}),
            "shadow": st.just({"x": 9, "blur": 8}),
            "box": st.just({"padding": 30}),
            "max_width": st.integers(10, 1500),
            "font_weight": st.sampled_from([400, 700]),
            "font": st.sampled_from(["Arial", "Caveat", "Anton", "Noto Sans CJK SC", "Twemoji Mozilla"]),
            "font_align": st.sampled_from(["left", "center", "right"]),
        },
    ),
)
def test_whatever_the_text_nothing_leaves_its_place(
    words: str, place: tuple[Any, Any], margin: list[int], size: int, fit: tuple[int, int] | None, style: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"text": words, "font_size": size, "positionxy": list(place), "margin": margin, **style}
    if fit:
        asked["fit"] = {"min": fit[0], "max": fit[1]}
    timeline = compiled({"text_overlays": [asked]})
    for layer in timeline.layers[1:]:
        assert isinstance(layer.content, Text)
        drawn = draw(layer.content)
        if not drawn.lines:
            continue
        if fit:
            assert fit[0] <= drawn.size_px <= fit[1]
        x, y = Canvas(1080, 1920).top_left(layer.place, drawn.box.w, drawn.box.h)
        top, right, bottom, left = margin
        if isinstance(place[0], str):
            top, bottom, right = max(top, 270), max(bottom, 390), max(right, 120)
            left = max(left, 120 if place[1] == "center" else 65)
        assert left <= x
        assert x + drawn.box.w <= 1080 - right
        assert top <= y
        assert y + drawn.box.h <= 1920 - bottom


def test_a_text_of_every_script_is_packed_and_placed(tmp_path: Path) -> None:
    texts = [{"text": words, "positionxy": [540, 100 + 150 * row]} for row, words in enumerate(SCRIPTS.values())]
    lowered, warnings = lower(compiled({"text_overlays": texts}), tmp_path)
    assert len(lowered.sprites) == len(SCRIPTS)
    assert warnings == ()


def test_a_box_goes_around_letters_and_emoji(tmp_path: Path) -> None:
    words = text("a😀", 80)
    plain, boxed = draw(words), draw(replace(words, box=TextBox(BLACK, 20, 0)))
    assert (boxed.box.w, boxed.box.h) == (plain.box.w + 40, plain.box.h + 40)
