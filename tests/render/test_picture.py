"""Pictures as logos are opened, and the colour behind transparent px."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from render.errors import TextError
from render.text import bleed, picture

RED = (255, 0, 0, 255)


def test_bleed_takes_the_nearest_colour_and_keeps_alpha() -> None:
    image = Image.new("RGBA", (200, 60))
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 40, 40), fill=(250, 200, 10, 255))
    pen.rectangle((160, 20, 180, 40), fill=(10, 20, 200, 90))
    bled = bleed(image)
    assert ImageChops.difference(bled.getchannel("A"), image.getchannel("A")).getbbox() is None
    assert bled.getpixel((30, 30)) == (250, 200, 10, 255)
    assert bled.getpixel((170, 30)) == (10, 20, 200, 90)
    for at, color in {(19, 19): (250, 200, 10), (42, 30): (250, 200, 10), (158, 30): (10, 20, 200)}.items():
        pixel = bled.getpixel(at)
        assert isinstance(pixel, tuple)
        assert pixel[:3] == pytest.approx(color, abs=12)
    assert min(sum(pixel) for pixel in zip(*[iter(bled.convert("RGB").tobytes())] * 3, strict=True)) > 100


def test_bleed_of_nothing_and_of_everything() -> None:
    for color in ((9, 8, 7, 0), (9, 8, 7, 255)):
        image = Image.new("RGBA", (5, 5), color)
        assert bleed(image).tobytes() == image.tobytes()


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_picture_is_scaled_by_its_longer_side(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"logo.{suffix}", Image.new("RGB", (400, 100), (200, 30, 40)))
    for longest, size in {None: (400, 100), 150: (150, 38), 800: (800, 200), 1: (1, 1)}.items():
        image = picture(path, longest)
        assert (image.mode, image.size) == ("RGBA", size)
        assert image.getpixel((0, 0)) == pytest.approx((200, 30, 40, 255), abs=6)


def test_scaling_lets_no_hidden_colour_in(tmp_path: Path) -> None:
    """Green that hides behind alpha 0 must not tint the edge of a red disc."""
    image = Image.new("RGBA", (300, 300), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((50, 50, 250, 250), fill=RED)
    logo = picture(saved(tmp_path / "logo.png", image), 64)
    assert logo.getchannel("A").getextrema() == (0, 255)
    assert max(logo.getchannel("G").tobytes()) <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel(tmp_path: Path, mode: str) -> None:
    grey = Image.new("I;16", (8, 8), 0x8080) if mode == "I;16" else Image.new("L", (8, 8), 128).convert(mode)
    path = saved(tmp_path / ("x.jpg" if mode == "CMYK" else "x.png"), grey)
    pixel = picture(path).getpixel((3, 3))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 255
    assert pixel[0] in (0, 255) if mode == "1" else pixel[:3] == pytest.approx((128,) * 3, abs=3)


def test_a_phone_picture_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn clockwise to show.
    upright = picture(saved(tmp_path / "phone.jpg", image, exif=exif, quality=95))
    assert upright.size == (20, 40)
    assert upright.getpixel((10, 2)) == pytest.approx((255, 0, 0, 255), abs=8)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ((255, 0, 0), (0, 0, 255))]
    path = saved(tmp_path / "a.webp", frames[0], save_all=True, append_images=frames[1:], duration=100, lossless=True)
    assert picture(path).getpixel((5, 5)) == RED


def test_broken_pictures_say_so(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 80).save(buffer, "PNG")
    png = buffer.getvalue()
    gif, bomb = tmp_path / "x.gif", tmp_path / "bomb.png"
    Image.new("RGB", (5, 5)).save(gif)
    Image.new("1", (20_000, 20_000)).save(bomb)
    large = saved(tmp_path / "large.png", Image.new("1", (6_000, 5_000)))
    contents = {"cut.png": png[:9000], "empty.png": b"", "noise.png": bytes(range(256)), "lie.png": gif.read_bytes()}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TextError, match=f"the picture {name} cannot be read as PNG, JPEG or WebP"):
            picture(tmp_path / name)
    for path in (tmp_path / "none.png", tmp_path, gif):
        with pytest.raises(TextError, match="cannot be read"):
            picture(path)
    for path in (large, bomb):
        with pytest.raises(TextError, match="too large"):
            picture(path)
    with pytest.raises(TextError, match="too large"):
        picture(saved(tmp_path / "s.png", Image.new("L", (9, 9))), 9000)
