"""What `render.vision` makes of pictures whose answer is known. All frames are made here; each test prints its seed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from render.appeal import best_frame
from render.vision import Look, look

Frames = NDArray[np.uint8]
SEED = 20240607
N, H, W = 24, 144, 256


@pytest.fixture
def rng() -> np.random.Generator:
    print("seed", SEED)
    return np.random.default_rng(SEED)


def flat(colour: tuple[int, int, int] = (90, 90, 90), n: int = N, h: int = H, w: int = W) -> Frames:
    return np.full((n, h, w, 3), colour, np.uint8)


def with_grain(frames: Frames, rng: np.random.Generator, sigma: float = 3.0) -> Frames:
    return np.asarray(np.clip(frames + rng.normal(0, sigma, frames.shape), 0, 255), np.uint8)


def texture(rng: np.random.Generator, h: int, w: int, soft: float = 1.5) -> Frames:
    """One colourful picture full of detail."""
    picture = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 3)).astype(np.float32), (0, 0), soft)
    return np.asarray(np.clip(120 + 45 * picture / picture.std(), 0, 255), np.uint8)


def with_thing(frames: Frames, x: int, y: int, size: tuple[int, int] = (36, 50), step: float = 0.0) -> Frames:
    """A patterned thing centred on (x, y) px; `step` px a frame makes it sway to and fro."""
    w, h = size
    pattern = np.indices((h, w)).sum(axis=0) // 6 % 2 * 120 + 60
    thing = np.stack([pattern * 0.3, pattern * 0.6, pattern], axis=-1).astype(np.uint8)
    for i, frame in enumerate(frames):
        at = x + round(step * (i % 4 if i % 8 < 4 else 4 - i % 4))
        frame[y - h // 2 : y - h // 2 + h, at - w // 2 : at - w // 2 + w] = thing
    return frames


def kept(seen: Look, aspect: float = 9 / 16, w: int = W, h: int = H) -> tuple[float, float]:
    """From where to where, in px of the cut axis, the crop reaches."""
    if w > h * aspect:
        size, length, focus = h * aspect, w, seen.focus_x
    else:
        size, length, focus = w / aspect, h, seen.focus_y
    start = float(np.clip(focus * length - size / 2, 0, length - size))
    return start, start + size


# --- focus ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.0, 2.0], ids=["still", "swaying"])
@pytest.mark.parametrize("x", [24, 60, 128, 190, 230])
def test_the_crop_holds_a_thing_wherever_it_is(rng: np.random.Generator, x: int, step: float) -> None:
    seen = look(with_grain(with_thing(flat(), x, 72, step=step), rng))
    start, end = kept(seen)
    assert start <= x - 18 + 0.5
    assert x + 18 + 3 * step <= end + 4


def test_a_thing_is_centred_in_the_crop_where_there_is_room(rng: np.random.Generator) -> None:
    seen = look(with_grain(with_thing(flat(), 176, 72), rng))
    assert seen.focus_x * W == pytest.approx(176, abs=8)


def test_a_thing_at_the_top_of_a_tall_picture_is_kept_by_a_square_crop(rng: np.random.Generator) -> None:
    frames = with_grain(with_thing(flat(h=256, w=144), 72, 40), rng)
    start, end = kept(look(frames, aspect=1.0), 1.0, 144, 256)
    assert start <= 40 - 25 + 1
    assert end >= 40 + 25


def test_the_axis_that_is_not_cut_says_where_the_thing_is(rng: np.random.Generator) -> None:
    high = look(with_grain(with_thing(flat(), 60, 40), rng))
    low = look(with_grain(with_thing(flat(), 60, 104), rng))
    assert high.focus_y < 0.45
    assert low.focus_y > 0.55


def test_two_things_at_both_ends_do_not_give_the_empty_middle(rng: np.random.Generator) -> None:
    frames = with_thing(with_thing(flat(), 36, 72, step=1), 220, 72, step=1)
    start, end = kept(look(with_grain(frames, rng)))
    assert (start <= 19 and end >= 55) or (start <= 203 and end >= 237)


def test_of_two_equal_things_the_one_that_moves_wins(rng: np.random.Generator) -> None:
    for still, moving in ((60, 190), (190, 60)):
        frames = with_thing(with_thing(flat(), still, 72), moving, 72, step=2)
        start, end = kept(look(with_grain(frames, rng)))
        assert start <= moving <= end


def test_of_two_equal_things_the_one_with_skin_wins(rng: np.random.Generator) -> None:
    for skin, other in ((60, 196), (196, 60)):
        frames = flat((100, 100, 100))
        frames[:, 47:97, skin - 18 : skin + 18] = (120, 150, 210)
        frames[:, 47:97, other - 18 : other + 18] = (150, 210, 120)
        start, end = kept(look(with_grain(frames, rng)))
        assert start <= skin <= end


def test_what_reaches_in_from_the_border_is_background(rng: np.random.Generator) -> None:
    """Two soft patches of the same size, one of a colour that stands along the border: the other is the subject."""
    for inner, outer in ((60, 196), (196, 60)):
        frames = flat().astype(np.float32)
        patch = cv2.GaussianBlur(np.pad(np.ones((50, 36), np.float32), 20), (0, 0), 5)[..., None]
        for x, colour in ((inner, (40, 150, 40)), (outer, (150, 60, 60))):
            area = frames[:, 27:117, x - 38 : x + 38]
            area += patch * (np.array(colour, np.float32) - area)
        frames[:, :12, outer - 40 : outer + 40] = (150, 60, 60)
        start, end = kept(look(with_grain(frames.astype(np.uint8), rng)))
        assert start <= inner <= end


@pytest.mark.parametrize("x", [60, 196])
def test_a_faint_pattern_in_the_colour_of_its_surroundings_is_seen(x: int) -> None:
    frames = flat()
    faint = with_thing(flat(n=1), x, 72).max(axis=3) > 150
    frames[:, faint[0]] = 83
    frames[:, -12:] = 40
    start, end = kept(look(frames))
    assert start <= x <= end


@pytest.mark.parametrize("x", [50, 206])
def test_a_panning_camera_is_not_taken_for_motion(rng: np.random.Generator, x: int) -> None:
    """Followed by the camera, a thing keeps its place while the background passes; both have the same texture."""
    world = texture(rng, H, W + 12 * N)
    frames = np.stack([world[:, 12 * i : 12 * i + W] for i in range(N)])
    patch = texture(rng, 50, 36)
    frames[:, 47:97, x - 18 : x + 18] = patch
    start, end = kept(look(with_grain(frames, rng)))
    assert start <= x - 12
    assert x + 12 <= end


def test_a_pan_over_an_even_landscape_stays_near_the_middle(rng: np.random.Generator) -> None:
    world = texture(rng, H, W + 10 * N)
    frames = np.stack([world[:, 10 * i : 10 * i + W] for i in range(N)])
    assert look(with_grain(frames, rng)).focus_x == pytest.approx(0.5, abs=0.12)


def test_a_change_of_exposure_is_not_motion(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W).astype(np.float32)
    picture[:, : W // 2] *= 0.6  # a difference would be largest where it is bright
    frames = np.stack([picture * (0.6 + 0.4 * (i % 2)) for i in range(N)]).astype(np.uint8)
    swaying = with_thing(frames, 50, 72, step=2)
    start, end = kept(look(with_grain(swaying, rng)))
    assert start <= 40
    assert end >= 60


@pytest.mark.parametrize("sigma", [2.0, 12.0, 50.0])
def test_noise_alone_gives_the_middle(rng: np.random.Generator, sigma: float) -> None:
    seen = look(with_grain(flat(), rng, sigma))
    assert (seen.focus_x, seen.focus_y) == pytest.approx((0.5, 0.5), abs=0.05)


@pytest.mark.parametrize("axis", [1, 2], ids=["down", "across"])
def test_a_gradient_gives_the_middle(rng: np.random.Generator, axis: int) -> None:
    ramp = np.linspace(20, 230, (H, W)[axis - 1])
    frames = flat()
    frames[:] = (ramp[:, None, None] if axis == 1 else ramp[None, :, None]).astype(np.uint8)
    seen = look(with_grain(frames, rng))
    assert not seen.black
    assert seen.focus_x == pytest.approx(0.5, abs=0.1)


def test_the_less_there_is_to_see_the_nearer_the_middle(rng: np.random.Generator) -> None:
    """The same thing at the right, and without it: lively surroundings alone do not pull the focus far."""
    scene = np.repeat(texture(rng, H, W, soft=3)[None], N, axis=0).astype(np.float32)
    thing = with_thing(scene.astype(np.uint8), 200, 72).astype(np.float32)
    away = [
        abs(look(with_grain((scene + share * (thing - scene)).astype(np.uint8), rng)).focus_x - 0.5)
        for share in (1.0, 0.0)
    ]
    assert away[0] > 0.2
    assert away[1] < away[0]
    assert away[1] < 0.2


def test_bars_do_not_count(rng: np.random.Generator) -> None:
    frames = with_grain(with_thing(flat(), 176, 72), rng)
    boxed = frames.copy()
    boxed[:, :20] = 0
    boxed[:, -20:] = 0
    assert look(boxed).focus_x == pytest.approx(look(frames).focus_x, abs=0.04)
    pillars = flat((0, 0, 0))
    pillars[:, :, 40:216] = with_grain(with_thing(flat(w=176), 120, 72), rng)
    start, end = kept(look(pillars))
    assert start <= 160 - 18
    assert end >= 160 + 18


def test_any_shape_and_only_two_samples(rng: np.random.Generator) -> None:
    for h, w, aspect in ((144, 256, 9 / 16), (256, 144, 9 / 16), (320, 90, 9 / 16), (90, 320, 1.0), (17, 300, 2.0)):
        frames = with_grain(np.repeat(texture(rng, h, w)[None], 2, axis=0), rng)
        seen = look(frames, aspect)
        assert 0 <= seen.focus_x <= 1
        assert 0 <= seen.focus_y <= 1
        assert look(frames, aspect) == seen


# --- black ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0, 2.0, 8.0, 20.0])
@pytest.mark.parametrize("colour", [(0, 0, 0), (18, 16, 16), (255, 255, 255), (200, 60, 30)])
def test_nothing_but_one_colour_and_grain_is_black(
    rng: np.random.Generator, colour: tuple[int, int, int], sigma: float
) -> None:
    assert look(with_grain(flat(colour), rng, sigma)).black


def test_one_flash_does_not_save_a_black_clip(rng: np.random.Generator) -> None:
    frames = with_grain(flat((4, 4, 4)), rng)
    frames[6:8] = texture(rng, H, W)
    assert look(frames).black
    frames[10] = 255
    assert look(frames).black


def test_one_colour_between_bars_is_black(rng: np.random.Generator) -> None:
    frames = with_grain(flat((160, 90, 40)), rng)
    frames[:, :18] = 0
    frames[:, -18:] = 0
    assert look(frames).black


def test_a_letterboxed_film_is_not_black(rng: np.random.Generator) -> None:
    frames = flat((0, 0, 0))
    frames[:, 50:94] = texture(rng, 44, W)
    assert not look(frames).black


@pytest.mark.parametrize("sigma", [0.0, 4.0])
def test_a_dark_night_with_lights_is_not_black(rng: np.random.Generator, sigma: float) -> None:
    frames = flat((6, 5, 5))
    for x, y in rng.integers((10, 20), (W - 10, H - 20), (5, 2)):
        frames[:, y : y + 3, x : x + 3] = (140, 220, 255)
    assert not look(with_grain(frames, rng, sigma)).black


def test_a_clip_that_starts_and_ends_in_black_is_not_black(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W).astype(np.float32)
    frames = np.stack([picture * np.clip(min(i, N - 1 - i) / 8, 0, 1) for i in range(N)]).astype(np.uint8)
    assert not look(frames).black


# --- frozen -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0])
def test_a_still_under_grain_is_frozen(rng: np.random.Generator, sigma: float) -> None:
    frames = with_grain(np.repeat(texture(rng, H, W)[None], N, axis=0), rng, sigma)
    seen = look(frames)
    assert seen.frozen
    assert not seen.black


def test_a_still_with_coding_noise_is_frozen(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W)
    coded = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for quality in (60, 75, 90)]
    decoded = [np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) for data in coded]
    assert look(np.stack(decoded * 8)).frozen


def test_a_still_that_fades_is_frozen(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W).astype(np.float32)
    frames = np.stack([picture * min(1.0, 0.2 + i / 10) for i in range(N)]).astype(np.uint8)
    assert look(with_grain(frames, rng, 1.5)).frozen


@pytest.mark.parametrize("size", [8, 5])
@pytest.mark.parametrize("sigma", [0.0, 4.0])
def test_one_small_thing_that_moves_is_not_frozen(rng: np.random.Generator, size: int, sigma: float) -> None:
    frames = np.repeat(texture(rng, H, W, soft=6)[None], N, axis=0)
    for i, frame in enumerate(frames):
        frame[60 : 60 + size, 20 + 3 * i : 20 + 3 * i + size] = (235, 245, 250)
    assert not look(with_grain(frames, rng, sigma)).frozen


def test_a_slow_pan_is_not_frozen(rng: np.random.Generator) -> None:
    world = texture(rng, H, W + N)
    assert not look(np.stack([world[:, i : i + W] for i in range(N)])).frozen


def test_motion_in_a_single_pair_is_not_frozen(rng: np.random.Generator) -> None:
    frames = with_grain(np.repeat(texture(rng, H, W)[None], N, axis=0), rng)
    frames[13] = np.roll(frames[13], 9, axis=1)
    assert not look(frames).frozen


# --- thumbnails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [0, 4, 8])
def test_the_best_frame_is_the_clear_one(rng: np.random.Generator, best: int) -> None:
    picture = with_thing(texture(rng, H, W)[None], 128, 72)[0].astype(np.float32)
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    others = [
        picture * 0,
        picture * 0 + 255,
        picture * 0.35,  # fading out
        picture * 0.3 + 178,  # fading to white
        cv2.GaussianBlur(picture, (0, 0), 4),
        cv2.blur(picture, (25, 1)),  # smeared by motion
        np.clip(picture * 3, 0, 255),  # overexposed
        grey * 0.5 + 60,  # dull
    ]
    frames = with_grain(np.stack([*others[:best], picture, *others[best:]]).clip(0, 255).astype(np.uint8), rng)
    assert best_frame(frames, [1] * len(frames)) == best


def stretched(picture: Any, deviation: float = 50) -> Any:
    return (picture - picture.mean()) / picture.std() * deviation + 120


@pytest.mark.parametrize("best", [0, 1])
def test_of_two_frames_alike_the_better_one_wins(rng: np.random.Generator, best: int) -> None:
    picture = stretched(texture(rng, H, W, soft=2).astype(np.float32))
    grey = stretched(np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2))
    same_luma = cv2.cvtColor(
        cv2.cvtColor(picture.clip(0, 255).astype(np.uint8), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR
    )
    fine = np.repeat(texture(rng, H, W, soft=0.6)[..., :1], 3, axis=2)
    pairs = {
        "smeared": (grey, stretched(cv2.blur(grey, (15, 1)), 54)),
        "colourless": (picture, same_luma),
        "flat": (stretched(cv2.GaussianBlur(grey, (0, 0), 2)), stretched(fine, 20)),
        "grainy": (picture, stretched(cv2.GaussianBlur(picture, (0, 0), 4)) + rng.normal(0, 12, picture.shape)),
    }
    for name, (better, worse) in pairs.items():
        pair = [worse, worse]
        pair[best] = better
        assert best_frame(np.stack(pair).clip(0, 255).astype(np.uint8), [1, 1]) == best, name


def test_grain_is_not_taken_for_sharpness(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W)
    frames = np.stack([with_grain(flat(n=1), rng, 14)[0], picture, with_grain(flat((9, 9, 9), n=1), rng, 14)[0]])
    assert best_frame(frames, [1] * len(frames)) == 1


def test_what_is_known_of_a_frame_counts_but_not_against_black(rng: np.random.Generator) -> None:
    picture = texture(rng, H, W)
    frames = np.stack([picture, picture, flat((0, 0, 0), n=1)[0]])
    assert best_frame(frames, [0.5, 0.8, 1]) == 1


def test_a_clip_without_any_good_frame_still_has_a_best() -> None:
    assert best_frame(flat((0, 0, 0), n=3), [1, 1, 1]) in range(3)
    assert best_frame(flat((255, 255, 255), n=1), [1]) == 0


# --- misuse -----------------------------------------------------------------------------------------------------------


def test_frames_of_the_wrong_shape_are_refused() -> None:
    for wrong in (flat(n=1), flat()[..., 0], flat().astype(np.float32), flat(h=8)):
        with pytest.raises(ValueError, match="frames"):
            look(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="frames"):
        best_frame(flat()[:0], [])
