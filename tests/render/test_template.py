"""Template requests to Timelines: timing, choice and places, without any file."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.errors import NoClips
from render.listen import Track
from render.probe import MediaInfo, VideoInfo
from render.shots import Clip
from render.spec import parse_template
from render.template import compile_template
from render.timeline import Layer, Margin, Media, Motion, Picture, Place, Text, Timeline, from_json, to_json


def clip(name: str, seconds: float, *, size: tuple[int, int] = (1080, 1920), rate: int = 60) -> Clip:
    video = VideoInfo(
        width=size[0],
        height=size[1],
        sar=Fraction(1),
        rate=Fraction(rate),
        frames=round(seconds * rate),
        duration_s=Fraction(str(seconds)),
        pixel_format="yuv420p",
        matrix="bt709",
        full_range=False,
        hdr="",
        codec="h264",
    )
    return Clip(MediaInfo(Path(f"/clips/{name}.mp4"), video, None), video)


def font(family: str, weight: int, italic: bool, text: str) -> tuple[Path, ...]:
    return Path(f"/fonts/{family}-{weight}{'i' if italic else ''}.ttf"), Path(f"/fonts/for-{text}.ttf")


def track(**more: Any) -> Track:
    """A minute of music at -20 LUFS, a channel wide, with peaks at -8 dBTP."""
    minute = Track(Path("/m.mp3"), True, Fraction(0), Fraction(60), (-20.0,) * 150, -8.0, False)
    return replace(minute, **more)


def compiled(
    data: dict[str, Any], *clips: Clip, seed: int = 1, logo: Path | None = None, music: Track | None = None
) -> Timeline:
    spec = parse_template(data)
    return compile_template(spec, seed, clips or (clip("long", 600),), music, logo, font)


def shots(timeline: Timeline) -> list[tuple[str, int, int]]:
    return [(x.content.path.stem, x.start, x.frames) for x in timeline.layers if isinstance(x.content, Media)]


def test_one_long_clip_fills_the_film() -> None:
    timeline = compiled({"video": {"duration": 15, "speed": 0.5}})
    assert timeline.frames == 450
    assert shots(timeline) == [("long", 0, 450)]
    media = timeline.layers[0].content
    assert isinstance(media, Media)
    assert media.speed == Fraction(1, 2)
    assert 0 <= media.start_s <= 600 - Fraction(15, 2)


def test_a_short_clip_is_followed_by_another_and_only_then_repeated() -> None:
    timeline = compiled({"video": {"duration": 30, "speed": 0.5}}, clip("a", 4), clip("b", 5))
    assert shots(timeline) == [("a", 0, 240), ("b", 240, 300), ("a", 540, 240), ("b", 780, 120)]


def test_no_shot_is_a_flash() -> None:
    # The first clip alone would leave 6 frames; it gives up time so that the second gets a second and a half.
    timeline = compiled({"video": {"duration": 8.2, "speed": 0.5}}, clip("a", 4), clip("b", 5))
    assert shots(timeline) == [("a", 0, 201), ("b", 201, 45)]


@given(st.floats(1, 120), st.lists(st.floats(1, 20), min_size=1, max_size=5), st.sampled_from([0.25, 0.5, 1.0, 2.0]))
def test_shots_cover_the_film_without_gap(duration: float, lengths: list[float], speed: float) -> None:
    clips = [clip(f"c{number}", length) for number, length in enumerate(lengths)]
    timeline = compiled({"video": {"duration": duration, "speed": speed}}, *clips)
    at = 0
    for layer in timeline.layers:
        assert isinstance(layer.content, Media)
        assert layer.start == at
        at = layer.end
        source = next(c.video for c in clips if c.info.path == layer.content.path)
        # One frame more than there is may be asked for, where a length falls between two frames.
        assert layer.content.start_s + (layer.frames - 1) / timeline.rate * layer.content.speed <= source.duration_s
    assert at == timeline.frames


def test_no_clip_is_an_error() -> None:
    with pytest.raises(NoClips):
        compile_template(parse_template({}), 1, [], None, None, font)


def test_only_as_many_clips_as_needed_are_asked_for() -> None:
    asked = []

    def endless() -> Any:
        while True:
            asked.append(1)
            yield clip(f"c{len(asked)}", 10)

    compile_template(parse_template({"video": {"duration": 30}}), 1, endless(), None, None, font)
    assert len(asked) == 2


def test_the_seed_decides_the_offset_and_nothing_else_does() -> None:
    first, again, other = (compiled({"video": {"duration": 15}}, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_layers_are_painted_clip_logo_texts_signature() -> None:
    data = {"text_overlays": [{"text": "a"}, {"text": "b"}], "signature": {"text": "@me"}, "logo": {"name": "l.png"}}
    timeline = compiled(data, logo=Path("/l.png"))
    contents = [layer.content for layer in timeline.layers]
    assert [type(content) for content in contents] == [Media, Picture, Text, Text, Text]
    assert [content.text for content in contents if isinstance(content, Text)] == ["a", "b", "@me"]


def test_empty_texts_are_left_out() -> None:
    timeline = compiled({"text_overlays": [{"text": " \n"}], "signature": {"text": ""}})
    assert len(timeline.layers) == 1


def overlay(data: dict[str, Any], video: dict[str, Any] | None = None) -> Layer:
    return compiled({"text_overlays": [{"text": "a", **data}], "video": {"duration": 10, **(video or {})}}).layers[1]


def test_times_of_a_text() -> None:
    assert (overlay({}).start, overlay({}).frames) == (0, 300)
    timed = overlay({"start_time": 1.5, "end_time": 4, "fade_in": 0.5, "fade_out": 1})
    assert (timed.start, timed.frames, timed.fade_in, timed.fade_out) == (45, 75, 15, 30)
    late = overlay({"start_time": 8, "end_time": 99})
    assert (late.start, late.end) == (240, 300)


def test_fades_longer_than_the_text_are_shortened_in_proportion() -> None:
    layer = overlay({"start_time": 1, "end_time": 2, "fade_in": 3, "fade_out": 1})
    assert (layer.fade_in, layer.fade_out) == (22, 7)


def test_sizes_and_places_scale_with_the_output() -> None:
    data = {"text": "a", "font_size": 30, "positionxy": [540, 480], "margin": [10, 20, 30, 40], "max_width": 500}
    timeline = compiled({"text_overlays": [data], "output": {"width": 540, "height": 960}})
    layer = timeline.layers[1]
    assert isinstance(layer.content, Text)
    assert layer.content.size_px == 15
    assert layer.content.max_width_px == 250
    assert layer.place == Place(270, 240, Margin(5, 10, 15, 20))


def test_a_text_has_the_room_between_its_margins() -> None:
    content = overlay({"margin": [100, 60, 20, 40], "positionxy": [540, 960]}).content
    assert isinstance(content, Text)
    assert (content.max_width_px, content.max_height_px) == (980, 1800)


def test_what_is_placed_by_words_has_the_room_between_the_platforms_buttons() -> None:
    """270 px above and 390 below, and on both sides as much as the buttons on the right take."""
    data = {"text": "a", "margin": [100, 60, 500, 40]}
    safe, free = (
        compiled({"text_overlays": [data], "output": {"safe_area": area}}).layers[1].content
        for area in ("social", "none")
    )
    assert isinstance(safe, Text)
    assert isinstance(free, Text)
    assert (safe.max_width_px, safe.max_height_px) == (1080 - 2 * 120, 1920 - 270 - 500)
    assert (free.max_width_px, free.max_height_px) == (1080 - 60 - 40, 1920 - 100 - 500)


def test_fit_bounds_become_sizes() -> None:
    content = overlay({"fit": {"min": 20, "max": 120}}).content
    assert isinstance(content, Text)
    assert (content.min_size_px, content.max_size_px) == (20, 120)


def test_fonts_are_asked_for_by_family_weight_style_and_text() -> None:
    content = overlay({"font": "Inter", "font_weight": "bold", "italic": True}).content
    assert isinstance(content, Text)
    assert content.fonts == (Path("/fonts/Inter-700i.ttf"), Path("/fonts/for-a.ttf"))


def test_music_is_as_long_as_the_film() -> None:
    data = {"video": {"duration": 10}, "audio": {"fade_in": 2, "fade_out": 3, "volume": 0.5}}
    (sound,) = compiled(data, music=track()).sounds
    assert (sound.frames, sound.fade_in, sound.fade_out, sound.loop) == (300, 60, 90, False)
    assert sound.volume == pytest.approx(0.5 * 10 ** (6 / 20)), "from -20 to -14 LUFS, then half of it"
    assert sound.true_peak == pytest.approx(10 ** (-8 / 20))
    assert sound.mono
    assert compiled({}).sounds == ()


def test_music_is_looped_only_where_the_film_is_longer_than_what_of_it_can_be_heard() -> None:
    heard = track(start_s=Fraction(2), end_s=Fraction(58))
    for seconds, loop in ((56, False), (57, True)):
        (sound,) = compiled({"video": {"duration": seconds}}, music=heard).sounds
        assert (sound.source_start_s, sound.source_end_s, sound.loop) == (Fraction(2), Fraction(58), loop)
        assert sound.seam_s == (Fraction(1, 100) if loop else 0)
    (joined,) = compiled({"video": {"duration": 90}}, music=track(seamless=True)).sounds
    assert (joined.loop, joined.seam_s) == (True, Fraction(0))
    (short,) = compiled({"video": {"duration": 90}}, music=track(end_s=Fraction(1, 30))).sounds
    assert short.seam_s == Fraction(1, 120)
    (long,) = compiled({"video": {"duration": 600}}, music=track(end_s=None)).sounds
    assert (long.loop, long.source_end_s) == (False, None)


def test_music_is_as_loud_as_what_of_it_is_heard_needs() -> None:
    """A quiet half minute, then a loud one."""
    halves = track(blocks_lufs=(-20.0,) * 75 + (-10.0,) * 75, true_peak_dbtp=-9.0)
    both = 10 * math.log10((10**-2 + 10**-1) / 2)
    for seconds, loudness in ((10, -20), (30, -20), (60, both)):
        (sound,) = compiled({"video": {"duration": seconds}}, music=halves).sounds
        assert sound.volume == pytest.approx(10 ** ((-14 - loudness) / 20)), seconds
    (left,) = compiled({"audio": {"loudness": None, "volume": 0.25}}, music=halves).sounds
    assert left.volume == 0.25


@pytest.mark.parametrize(("at", "frame"), [(None, None), (0, 0), (2.5, 75), (2.99, 89), (9.999, 299)])
def test_the_thumbnail_is_the_frame_that_is_shown_at_its_second(at: float | None, frame: int | None) -> None:
    assert compiled({"video": {"duration": 10}, "output": {"thumbnail_at": at}}).thumbnail == frame


def test_a_timeline_survives_json() -> None:
    data = {
        "video": {"duration": 12, "exposure": 1.3, "blur": 4, "fade_in": 1},
        "text_overlays": [
            {"text": "ä", "stroke": {}, "shadow": {"blur": 3}, "box": {}, "positionxy": [10, "top"]},
            {"text": "b", "gradient": {"colors": ["red", "#0000ff80"], "angle": 90}, "letter_spacing": 3},
        ],
        "logo": {"name": "l.png"},
    }
    timeline = compiled(data, clip("a", 3), clip("b", 4), logo=Path("/l.png"), music=track())
    assert from_json(to_json(timeline)) == timeline


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"version": 1}', '{"version": 99}', '{"version": 2}', '{"version": 2, "width": 3, "what": 1}']
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"timeline|Timeline"):
        from_json(text)


def test_clips_that_would_flash_by_are_left_out_unless_there_are_no_others() -> None:
    fast = {"video": {"duration": 6, "speed": 2}}
    assert {name for name, _, _ in shots(compiled(fast, clip("flash", 1), clip("long", 20)))} == {"long"}
    assert {name for name, _, _ in shots(compiled(fast, clip("flash", 1)))} == {"flash"}


def moved(**text: Any) -> Layer:
    overlays = [{"text": "Words", **text}]
    return compiled({"video": {"duration": 4}, "text_overlays": overlays}).layers[-1]


def test_motions_are_counted_in_frames() -> None:
    layer = moved(enter="rise", exit="type", exit_duration=1.2)
    assert (layer.enter, layer.exit) == (Motion("rise", 15), Motion("type", 36))
    assert (layer.fade_in, layer.fade_out) == (0, 0)
    assert (moved().enter, moved().exit) == (None, None)


def test_a_motion_that_fades_is_the_longer_fade() -> None:
    layer = moved(enter="fade", exit="fade", enter_duration=1, exit_duration=0.2, fade_in=0.5, fade_out=0.5)
    assert (layer.fade_in, layer.fade_out) == (30, 15)
    assert (layer.enter, layer.exit) == (None, None)


def test_motions_longer_than_the_text_is_shown_are_shortened() -> None:
    layer = moved(start_time=1, end_time=2, enter="pop", exit="slide", enter_duration=2, exit_duration=1)
    assert (layer.enter, layer.exit) == (Motion("pop", 20), Motion("slide", 10))


def test_logo_and_signature_move_too() -> None:
    spec = {
        "signature": {"text": "me", "enter": "rise"},
        "logo": {"name": "logo.png", "enter": "pop", "exit": "fade", "exit_duration": 1},
    }
    logo, signature = compiled(spec, logo=Path("/logo.png")).layers[-2:]
    assert (logo.enter, logo.fade_out) == (Motion("pop", 15), 30)
    assert (signature.enter, signature.exit) == (Motion("rise", 15), None)


def test_a_timeline_that_moves_can_be_stored() -> None:
    timeline = compiled({"text_overlays": [{"text": "Words", "enter": "slide"}]})
    assert from_json(to_json(timeline)) == timeline
