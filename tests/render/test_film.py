"""Films, judged by their packets, decoded pixels and sound levels."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from render.errors import Cancelled, ClipEndedEarly, TextError
from render.executor import render
from render.ffmpeg import FFmpeg
from render.probe import probe
from render.slices import slices
from render.timeline import Media
from tests import media
from tests.render.films import compiled, make

SMALL = {"width": 270, "height": 480}


@pytest.fixture(scope="module")
def black(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of black, 1080x1920, tagged as modern files are."""
    tags = ("setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709",)
    return media.clip(
        tmp_path_factory.mktemp("black") / "a.mp4", "color=c=black", size="1080x1920", seconds=4, filters=tags
    )


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of motion at 60 fps."""
    return media.clip(tmp_path_factory.mktemp("moving") / "m.mp4", rate="60", seconds=4)


def ink(frame: NDArray[np.uint8], threshold: int = 128) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of what is brighter than the threshold."""
    ys, xs = np.nonzero(frame.max(axis=-1) > threshold)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize("quality", ["draft", "social", "high"])
def test_the_file_is_what_platforms_ask_for(tmp_path: Path, moving: Path, ffmpeg: FFmpeg, quality: str) -> None:
    film = make({"video": {"duration": 5}, "output": {"quality": quality}}, [moving], tmp_path, ffmpeg)
    info = probe(film.path, ffmpeg)
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.width, info.video.height, info.video.frames) == (1080, 1920, 150)
    assert (info.video.matrix, info.video.full_range) == ("bt709", False)
    assert info.video.rate == 30
    assert (info.video.pixel_format, info.video.codec) == ("yuv420p", "h264")
    assert (info.audio.sample_rate, info.audio.channels, info.audio.codec) == (48000, 2, "aac")
    head = media.header(film.path)
    assert "h264 (High)" in head
    assert re.search(r"yuv420p\(tv, bt709", head)
    raw = film.path.read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")


def test_constant_rate_and_closed_groups_of_two_seconds(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    film = make({"video": {"duration": 5}, "output": SMALL}, [moving], tmp_path, ffmpeg)
    rows = media.packets(film.path)
    times = sorted(row.pts_s for row in rows)
    assert np.allclose(np.diff(times), 1 / 30, atol=1e-4)
    assert times[0] == pytest.approx(0, abs=1e-6)
    keys = [number for number, row in enumerate(rows) if row.key]
    assert keys == [0, 60, 120]
    # Closed: in decode order, nothing after a key frame is shown before it.
    for key in keys:
        assert all(row.pts_s >= rows[key].pts_s for row in rows[key:])


@pytest.mark.parametrize("duration", [1, 1.033, 2.5, 3.999])
def test_length_to_the_frame(tmp_path: Path, moving: Path, ffmpeg: FFmpeg, duration: float) -> None:
    film = make({"video": {"duration": duration}, "output": {**SMALL, "quality": "draft"}}, [moving], tmp_path, ffmpeg)
    info = probe(film.path, ffmpeg)
    assert info.video is not None
    assert info.audio is not None
    assert info.video.frames == round(duration * 30)
    assert abs(info.audio.duration_s - info.video.duration_s) < Fraction(1, 20)


def test_a_logo_sits_to_the_pixel(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (300, 200), "white").save(logo)
    request = {"name": "x", "size": 150, "margin": [0, 25, 25, 0]}
    for position, area, box in (
        (["bottom", "center"], "none", (465, 1795, 615, 1895)),
        (["center", "bottom"], "none", (465, 1795, 615, 1895)),
        (["top", "left"], "none", (0, 0, 150, 100)),
        (["right", "center"], "none", (905, 910, 1055, 1010)),
        # 390 px above the lower edge, 65 from the left and 270 from the top, where the platforms have nothing.
        (["bottom", "center"], "social", (465, 1430, 615, 1530)),
        (["top", "left"], "social", (65, 270, 215, 370)),
        ([301, 401], "social", (226, 351, 376, 451)),
    ):
        data = {"video": {"duration": 1}, "logo": {**request, "positionxy": position}, "output": {"safe_area": area}}
        film = make(data, [black], tmp_path, ffmpeg, logo=logo)
        assert ink(media.frames(film.path, 1080, 1920)[0]) == box, position


def test_text_and_signature_sit_to_the_pixel(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    # Arimo: 2048 units, ascent 1854, descent 434, capital height 1409 of "H", whose side bearings are equal.
    data = {
        "video": {"duration": 1},
        "text_overlays": [{"text": "HHHH", "font_size": 100, "positionxy": ["center", "center"]}],
        "signature": {
            "text": "HHHH",
            "font_size": 50,
            "opacity": 1,
            "positionxy": ["bottom", "center"],
            "margin": [0, 25, 25, 0],
        },
    }
    frame = media.frames(make(data, [black], tmp_path, ffmpeg).path, 1080, 1920)[0]
    for at, size, line_top in ((slice(800, 1100), 100, 960 - 60), (slice(1400, 1700), 50, 1920 - 390 - 60)):
        left, top, right, bottom = ink(frame[at])
        baseline = line_top + (1.2 * size - (1854 + 434) / 2048 * size) / 2 + 1854 / 2048 * size
        assert at.start + bottom == pytest.approx(baseline, abs=1)
        assert bottom - top == pytest.approx(1409 / 2048 * size, abs=1.5)
        assert (left + right) / 2 == pytest.approx(540, abs=1)


def test_emoji_are_in_colour_beside_words_of_any_script(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    """From the left: white Latin letters, the yellow face, white Arabic letters."""
    words = {"text": "HH 😀 مرحبا", "font_size": 120, "positionxy": [540, 960]}
    frame = media.frames(
        make({"video": {"duration": 1}, "text_overlays": [words]}, [black], tmp_path, ffmpeg).path, 1080, 1920
    )[0]
    left, _, right, _ = ink(frame)
    yellow = (frame[..., 0] > 180) & (frame[..., 1] > 140) & (frame[..., 2] < 130)
    white = frame.min(axis=2) > 200
    columns = [np.flatnonzero(mask.any(axis=0)) for mask in (yellow, white)]
    face = columns[0]
    assert 90 < face.max() - face.min() < 130
    assert (columns[1] < face.min()).sum() > 40
    assert (columns[1] > face.max()).sum() > 80
    assert left < face.min() < face.max() < right


def test_a_text_is_there_exactly_from_its_first_frame_to_its_last(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    data = {
        "video": {"duration": 3},
        "text_overlays": [{"text": "HH", "font_size": 200, "start_time": 0.5, "end_time": 1.5}],
        "output": SMALL,
    }
    shown = media.frames(make(data, [black], tmp_path, ffmpeg).path, 270, 480).max(axis=(1, 2, 3)) > 128
    assert np.flatnonzero(shown).tolist() == list(range(15, 45))


def levels_of(tmp_path: Path, black: Path, ffmpeg: FFmpeg, text: dict[str, Any], **video: float) -> NDArray[np.float64]:
    """Brightness of a white bar, frame by frame, as a share of white."""
    words = {"text": ".", "box": {"color": "white", "opacity": 1, "padding": 200, "radius": 0}, **text}
    data = {"video": {"duration": 3, **video}, "text_overlays": [words], "output": SMALL}
    frames = media.frames(make(data, [black], tmp_path, ffmpeg).path, 270, 480)
    return np.asarray(frames[:, 235:245, 130:140].mean(axis=(1, 2, 3)) / 255)


def test_a_text_fades_evenly(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    shares = levels_of(tmp_path, black, ffmpeg, {"start_time": 0.5, "end_time": 2.5, "fade_in": 0.5, "fade_out": 1})
    assert shares[:15].max() < 0.02
    assert np.allclose(shares[15:30], np.arange(15) / 15, atol=0.05)
    assert shares[31:44].min() > 0.97
    assert np.allclose(shares[45:75], 1 - np.arange(1, 31) / 30, atol=0.05)
    assert shares[76:].max() < 0.02


def test_the_picture_fades_from_and_to_black(tmp_path: Path, black: Path, ffmpeg: FFmpeg) -> None:
    shares = levels_of(tmp_path, black, ffmpeg, {}, fade_in=1, fade_out=1)
    assert shares[0] < 0.02
    assert np.allclose(shares[:30], np.arange(30) / 30, atol=0.05)
    assert shares[30:59].min() > 0.97
    assert np.allclose(shares[59:90], 1 - np.arange(31) / 30, atol=0.06)
    assert shares[-1] < 0.02


def test_slices_join_without_a_seam(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    """A film of one long clip, and the same picture cut from two clips, differ by coding noise only."""
    halves = []
    for number, start in enumerate((0, 1)):
        half = tmp_path / f"half{number}.mp4"
        cut = f"trim=start={start}:duration=1,setpts=PTS-STARTPTS"
        media.run("-i", str(moving), "-vf", cut, "-c:v", "libx264", "-qp", "1", str(half))
        halves.append(half)
    whole = tmp_path / "whole.mp4"
    media.run("-i", str(moving), "-vf", "trim=duration=2", "-c:v", "libx264", "-qp", "1", str(whole))
    data = {
        "video": {"duration": 4, "fade_in": 3, "fade_out": 3},
        "text_overlays": [{"text": "across", "font_size": 120, "start_time": 1, "end_time": 3.5, "fade_in": 2}],
        "output": {**SMALL, "quality": "high"},
    }
    films = []
    for name, clips in (("one", [whole]), ("two", halves)):
        folder = tmp_path / name
        folder.mkdir()
        films.append(make(data, clips, folder, ffmpeg))
    assert [len(slices(film.timeline)) for film in films] == [1, 2]
    one, two = (media.frames(film.path, 270, 480).astype(int) for film in films)
    assert one.shape == two.shape
    assert np.abs(one - two).mean(axis=(1, 2, 3)).max() < 4


def grey_film(tmp_path: Path, ffmpeg: FFmpeg, color: str, **video: float) -> NDArray[np.float64]:
    """Mean RGB of the first frame of a film over one colour."""
    tags = ("format=yuv420p", "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709")
    to_709 = ("format=rgb24", "scale=out_color_matrix=bt709:out_range=tv", *tags)
    source = media.clip(tmp_path / "c.mp4", f"color=c={color}", seconds=2, filters=to_709, video=("-qp", "1"))
    film = make({"video": {"duration": 1, **video}, "output": {**SMALL, "quality": "high"}}, [source], tmp_path, ffmpeg)
    return np.asarray(media.frames(film.path, 270, 480)[10].reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize(
    ("video", "meant"),
    [
        ({}, (100, 100, 100)),
        ({"brightness": 1.5}, (150, 150, 150)),
        ({"brightness": 0.0}, (0, 0, 0)),
        ({"contrast": 2.0}, (72.5, 72.5, 72.5)),
        ({"exposure": 2.0}, (133.5, 133.5, 133.5)),
        ({"exposure": 0.5, "brightness": 2.0}, (149.8, 149.8, 149.8)),
    ],
)
def test_factors_on_grey(tmp_path: Path, ffmpeg: FFmpeg, video: dict[str, float], meant: tuple[float, ...]) -> None:
    assert grey_film(tmp_path, ffmpeg, "0x646464", **video) == pytest.approx(meant, abs=2)


def test_factors_on_colour(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    red, green, blue = 140, 100, 80
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    more = [luma + (value - luma) * 1.5 for value in (red, green, blue)]
    assert grey_film(tmp_path, ffmpeg, "0x8c6450") == pytest.approx((red, green, blue), abs=2)
    assert grey_film(tmp_path, ffmpeg, "0x8c6450", saturation=1.5) == pytest.approx(more, abs=3)
    assert grey_film(tmp_path, ffmpeg, "0x8c6450", saturation=0) == pytest.approx((luma,) * 3, abs=2)
    assert grey_film(tmp_path, ffmpeg, "0x8c6450", brightness=1.2) == pytest.approx((168, 120, 96), abs=3)


@pytest.mark.parametrize(
    "how",
    [
        ("scale=out_color_matrix=bt601:out_range=tv", "format=yuv420p", "setparams=colorspace=smpte170m:range=tv"),
        ("scale=out_color_matrix=bt601:out_range=pc", "format=yuvj420p", "setparams=colorspace=smpte170m:range=pc"),
        ("scale=out_color_matrix=bt709:out_range=pc", "format=yuvj420p", "setparams=colorspace=bt709:range=pc"),
        ("scale=out_color_matrix=bt601:out_range=tv", "format=yuv420p"),
        ("scale=out_color_matrix=bt601:out_range=tv", "format=yuv422p", "setparams=colorspace=bt470bg:range=tv"),
        ("scale=out_color_matrix=bt709:out_range=tv", "format=yuv420p10le", "setparams=colorspace=bt709:range=tv"),
        ("format=gray",),
    ],
)
def test_colour_survives_matrix_and_range(tmp_path: Path, ffmpeg: FFmpeg, how: tuple[str, ...]) -> None:
    source = media.clip(
        tmp_path / "c.mkv", "color=c=0xc86432", seconds=2, filters=("format=rgb24", *how), video=("-qp", "1")
    )
    film = make({"video": {"duration": 1}, "output": {**SMALL, "quality": "high"}}, [source], tmp_path, ffmpeg)
    mean = media.frames(film.path, 270, 480)[5].reshape(-1, 3).mean(axis=0)
    grey = (0.299 * 200 + 0.587 * 100 + 0.114 * 50,) * 3
    assert mean == pytest.approx(grey if how == ("format=gray",) else (200, 100, 50), abs=3)


def test_screen_recordings_in_rgb_keep_their_colour(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    codec = ("-c:v", "libx264rgb", "-qp", "0")
    source = media.clip(tmp_path / "c.mkv", "color=c=0xc86432", seconds=2, filters=("format=rgb24",), video=codec)
    film = make({"video": {"duration": 1}, "output": {**SMALL, "quality": "high"}}, [source], tmp_path, ffmpeg)
    mean = media.frames(film.path, 270, 480)[5].reshape(-1, 3).mean(axis=0)
    assert mean == pytest.approx((200, 100, 50), abs=3)


def test_high_dynamic_range_is_brought_to_video_levels(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    tags = (
        "format=rgb24",
        "scale=out_color_matrix=bt2020",
        "format=yuv420p10le",
        "setparams=color_trc=arib-std-b67:colorspace=bt2020nc:color_primaries=bt2020:range=tv",
    )
    source = media.clip(tmp_path / "h.mkv", "color=c=0xbfbfbf", seconds=2, filters=tags, video=("-qp", "1"))
    film = make({"video": {"duration": 1}, "output": SMALL}, [source], tmp_path, ffmpeg)
    mean = media.frames(film.path, 270, 480)[5].reshape(-1, 3).mean(axis=0)
    # HLG 75 % is reference white (ITU-R BT.2408): neither clipped nor left as grey as its code value reads.
    assert 215 < mean.min() <= mean.max() < 240


def test_colour_of_a_logo_and_its_edge(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    white = media.clip(tmp_path / "w.mp4", "color=c=white", size="1080x1920", seconds=2)
    logo = tmp_path / "logo.png"
    Image.new("RGBA", (101, 101), (220, 30, 40, 255)).save(logo)
    data = {
        "video": {"duration": 1},
        "logo": {"name": "x", "size": 101, "positionxy": [301, 301]},
        "output": {"quality": "high"},
    }
    frame = media.frames(make(data, [white], tmp_path, ffmpeg, logo=logo).path, 1080, 1920)[10].astype(int)
    assert frame[260:340, 260:340].reshape(-1, 3).mean(axis=0) == pytest.approx((220, 30, 40), abs=4)
    # Just outside the logo no dark rim: black behind transparency would show there.
    assert frame[240:247, 260:340].min() > 200


@pytest.mark.parametrize(("rate", "speed"), [("25", 0.5), ("10", 0.5), ("30", 0.5), ("24", 1.0), ("50", 1.0)])
def test_slow_sources_do_not_stutter(tmp_path: Path, ffmpeg: FFmpeg, rate: str, speed: float) -> None:
    """A bar that grows at a steady pace grows at a steady pace in the film.

    Where two frames are blended their mean brightness is what a frame between them would have, so steps are even; a
    doubled or dropped frame shows as a step of nothing or of two.
    """
    bar = "geq=lum='16+219*lt(X,W*T/4)':cb=128:cr=128"
    source = media.clip(tmp_path / "s.mp4", "color=c=black", size="540x960", rate=rate, seconds=4, filters=(bar,))
    film = make({"video": {"duration": 3, "speed": speed}, "output": SMALL}, [source], tmp_path, ffmpeg)
    steps = np.diff(media.frames(film.path, 135, 240).mean(axis=(1, 2, 3)))[1:-2]
    assert steps.min() > 0.6 * np.median(steps)
    assert steps.max() < 1.4 * np.median(steps)


@pytest.mark.parametrize(("rate", "speed", "step"), [("60", 0.5, 1), ("120", 0.5, 2), ("60", 1.0, 2), ("30", 1.0, 1)])
def test_fast_sources_keep_their_own_frames(tmp_path: Path, ffmpeg: FFmpeg, rate: str, speed: float, step: int) -> None:
    # Each frame's grey is its number, so a blend would show as a number in between.
    count = "geq=lum='16+mod(N*3,216)':cb=128:cr=128"
    source = media.clip(
        tmp_path / "n.mp4", "color=c=black", size="64x114", rate=rate, seconds=3, filters=(count,), video=("-qp", "0")
    )
    timeline = compiled(
        {"video": {"duration": 1, "speed": speed}, "output": {"width": 128, "height": 228}}, [source], ffmpeg
    )
    (tmp_path / "w").mkdir()
    render(timeline, tmp_path / "film.mp4", tmp_path / "w", ffmpeg)
    luma = media.frames(tmp_path / "film.mp4", 128, 228, pixels="gray", extra=("-vf", "extractplanes=y"))
    numbers = (luma[:, 50:150, 30:90].mean(axis=(1, 2)) - 16) / 3
    assert np.abs(np.diff(numbers)[np.diff(numbers) > 0] - step).max() < 0.4


def test_landscape_is_cropped_around_the_focus(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    # Three vertical bands, red, green, blue: what is shown is the band that the focus names.
    bands = "geq=r='255*lt(X,W/3)':g='255*between(X,W/3,2*W/3)':b='255*gt(X,2*W/3)'"
    source = media.clip(tmp_path / "l.mp4", "color=c=black", size="960x360", seconds=2, filters=("format=rgb24", bands))
    film = make({"video": {"duration": 1}, "output": SMALL}, [source], tmp_path, ffmpeg)
    assert media.frames(film.path, 270, 480)[5].mean(axis=(0, 1)).argmax() == 1


@pytest.mark.parametrize("name", ["mp4", "mov", "mkv", "webm", "avi", "ts", "mts", "mpg", "flv"])
@pytest.mark.parametrize("group", [30, 1000])
def test_every_container_can_be_entered_in_its_middle(tmp_path: Path, ffmpeg: FFmpeg, name: str, group: int) -> None:
    """What is shown is what stands at the asked second, whether or not a key frame does."""
    codecs = {"webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime"), "mpg": ("-c:v", "mpeg2video", "-q:v", "2")}
    more = codecs.get(name, ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"))
    grow = ("geq=lum='16+200*T/6':cb=128:cr=128",)
    group_size = ("-g", str(min(group, 600)))
    source = media.clip(tmp_path / f"a.{name}", "color=c=black", seconds=6, filters=grow, video=(*more, *group_size))
    timeline = compiled({"video": {"duration": 5, "speed": 1}, "output": SMALL}, [source], ffmpeg)
    layer = timeline.layers[0]
    assert isinstance(layer.content, Media)
    entered = replace(layer, content=replace(layer.content, start_s=Fraction(9, 10)))
    (tmp_path / "w").mkdir()
    render(replace(timeline, layers=(entered,)), tmp_path / "film.mp4", tmp_path / "w", ffmpeg)
    shown = media.frames(tmp_path / "film.mp4", 270, 480).mean(axis=(1, 2, 3))
    at_s = (np.arange(150) / 30 + 0.9) / 6 * 200 / 219 * 255
    assert np.abs(shown - at_s).max() < 8


def test_a_clip_cut_by_an_edit_list_is_as_long_as_it_shows(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    whole = media.clip(tmp_path / "a.mp4", seconds=8, video=("-g", "240"))
    media.run("-ss", "3.1", "-i", str(whole), "-t", "4", "-c", "copy", str(tmp_path / "b.mp4"))
    info = probe(tmp_path / "b.mp4", ffmpeg)
    assert info.video is not None
    assert float(info.video.duration_s) == pytest.approx(4, abs=0.15)
    film = make({"video": {"duration": 7.5}, "output": SMALL}, [tmp_path / "b.mp4"], tmp_path, ffmpeg)
    assert media.frames(film.path, 135, 240).shape[0] == 225


def test_a_track_with_a_broken_cover_is_heard(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    cover = tmp_path / "c.png"
    Image.new("RGB", (64, 64), "red").save(cover)
    track = tmp_path / "t.mp3"
    tone = media.tone(tmp_path / "t.wav", seconds=2)
    media.run(
        "-i",
        str(tone),
        "-i",
        str(cover),
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        "-disposition:v",
        "attached_pic",
        str(track),
    )
    raw = bytearray(track.read_bytes())
    at = raw.index(b"IDAT")
    raw[at - 8 : at + 40] = bytes(48)
    track.write_bytes(raw)
    info = probe(track, ffmpeg)
    assert info.video is None
    assert info.audio is not None


def test_rotated_clips_stand_upright(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    # Stored lying, with a mark to turn it: the red half must end up on top.
    halves = "geq=r='255*lt(X,W/2)':g=0:b='255*gte(X,W/2)'"
    flat = media.clip(tmp_path / "f.mp4", "color=c=black", size="480x270", seconds=2, filters=("format=rgb24", halves))
    film = make(
        {"video": {"duration": 1}, "output": SMALL}, [media.rotated(flat, tmp_path / "r.mp4", -90)], tmp_path, ffmpeg
    )
    frame = media.frames(film.path, 270, 480)[5]
    assert frame[100, 135].argmax() == 0
    assert frame[380, 135].argmax() == 2


def test_blur_softens_an_edge_by_its_radius(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    edge = ("geq=lum='16+219*gt(Y,H/2)':cb=128:cr=128",)
    source = media.clip(
        tmp_path / "e.mp4", "color=c=black", size="1080x1920", seconds=1, filters=edge, video=("-qp", "4")
    )
    for radius in (3, 20):
        film = make({"video": {"duration": 1, "speed": 1, "blur": radius}}, [source], tmp_path, ffmpeg)
        column = media.frames(film.path, 1080, 1920)[10][:, 540, 1] / 255
        # A Gaussian blurred step rises from 16 % to 84 % over two standard deviations.
        width = np.argmax(column > 0.84) - np.argmax(column > 0.16)
        assert width == pytest.approx(2 * radius, rel=0.15, abs=1)


def test_music_is_as_loud_as_asked_and_fades(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    track = media.tone(tmp_path / "t.wav", seconds=1.5, volume=0.5)
    data = {
        "video": {"duration": 6},
        "audio": {"loudness": None, "volume": 0.5, "fade_in": 2, "fade_out": 2},
        "output": SMALL,
    }
    heard = media.samples(make(data, [moving], tmp_path, ffmpeg, music=track).path)
    assert len(heard) == pytest.approx(6 * 48000, abs=2048)

    def peak(at_s: float) -> float:
        return float(np.abs(heard[int((at_s - 0.02) * 48000) : int((at_s + 0.02) * 48000)]).max())

    assert peak(3) == pytest.approx(0.25, abs=0.02)
    assert peak(1) == pytest.approx(0.125, abs=0.02)
    assert peak(5) == pytest.approx(0.125, abs=0.02)
    assert peak(0.03) < 0.02
    assert peak(5.97) < 0.02
    # Looped four times: it plays on where the track ends.
    assert min(peak(at) for at in (2.5, 3.5, 4.0)) > 0.15


def test_without_music_there_is_a_silent_track(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    heard = media.samples(make({"video": {"duration": 2}, "output": SMALL}, [moving], tmp_path, ffmpeg).path)
    assert len(heard) > 1.9 * 48000
    assert np.abs(heard).max() < 1e-4


def test_loud_music_does_not_clip(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    track = media.tone(tmp_path / "t.wav", seconds=3, volume=0.8)
    data = {"video": {"duration": 2}, "audio": {"volume": 4}, "output": SMALL}
    heard = media.samples(make(data, [moving], tmp_path, ffmpeg, music=track).path)
    assert 0.7 < np.abs(heard[9600:-9600]).max() < 10 ** (-1 / 20)


def test_a_clip_that_ends_early_fails_the_film(tmp_path: Path, ffmpeg: FFmpeg) -> None:
    source = media.clip(tmp_path / "a.mkv", rate="30", seconds=4)
    timeline = compiled({"video": {"duration": 7}, "output": SMALL}, [source], ffmpeg)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    (tmp_path / "w").mkdir()
    with pytest.raises(ClipEndedEarly) as caught:
        render(timeline, tmp_path / "film.mp4", tmp_path / "w", ffmpeg)
    assert caught.value.path == source
    assert not list(tmp_path.glob("film*"))


def test_cancel_leaves_nothing(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    timeline = compiled({"video": {"duration": 60}, "output": SMALL}, [moving], ffmpeg)
    (tmp_path / "w").mkdir()
    seen: list[float] = []
    stopping = ffmpeg.watched(lambda: bool(seen))
    with pytest.raises(Cancelled):
        render(timeline, tmp_path / "film.mp4", tmp_path / "w", stopping, on_progress=seen.append)
    assert not list(tmp_path.glob("film*"))


def test_progress_rises_to_the_end(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    timeline = compiled({"video": {"duration": 20}, "output": SMALL}, [moving], ffmpeg)
    (tmp_path / "w").mkdir()
    seen: list[float] = []
    render(timeline, tmp_path / "film.mp4", tmp_path / "w", ffmpeg, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1, abs=0.01)


def test_two_hundred_overlays(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    texts = [
        {
            "text": f"{number}",
            "positionxy": [60 + number % 14 * 70, 60 + number // 14 * 110],
            "start_time": number / 150,
        }
        for number in range(200)
    ]
    film = make({"video": {"duration": 2}, "text_overlays": texts, "output": SMALL}, [moving], tmp_path, ffmpeg)
    assert media.frames(film.path, 270, 480).shape[0] == 60


def test_overlays_too_large_to_be_held_are_refused(tmp_path: Path, moving: Path, ffmpeg: FFmpeg) -> None:
    texts = [{"text": "W", "font_size": 1000, "box": {"padding": 400}}] * 20
    with pytest.raises(TextError, match="too large"):
        make({"video": {"duration": 1}, "text_overlays": texts}, [moving], tmp_path, ffmpeg)


@pytest.mark.parametrize("output", [{"width": 720, "height": 720, "fps": 25}, {"width": 128, "height": 228, "fps": 60}])
@pytest.mark.parametrize("quality", ["draft", "high"])
def test_other_outputs(tmp_path: Path, moving: Path, ffmpeg: FFmpeg, output: dict[str, int], quality: str) -> None:
    film = make({"video": {"duration": 1}, "output": {**output, "quality": quality}}, [moving], tmp_path, ffmpeg)
    video = probe(film.path, ffmpeg).video
    assert video is not None
    assert (video.width, video.height) == (output["width"], output["height"])
    assert video.rate == output["fps"]
    assert video.frames == output["fps"]
