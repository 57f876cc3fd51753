"""Filter steps that bring a clip's pixels to the canvas: crop, scale, colour space, grade, blur. Pure.

Knows neither slices nor overlays; what comes out is 8 bit limited-range BT.709 of the canvas's size.
"""

from __future__ import annotations

from collections.abc import Iterator

from render.timeline import Grade, Media

# A wide blur looks the same at a quarter of the size and costs a fifth.
_WIDE_BLUR_PX = 4.0

BT709 = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def fit(media: Media, width: int, height: int) -> Iterator[str]:
    """Crop and scale to the canvas, bring colour to 8 bit limited-range BT.709; nothing where it is that already."""
    crop = media.crop
    if (crop.w, crop.h) != (media.width, media.height):
        yield f"crop={crop.w}:{crop.h}:{crop.x}:{crop.y}"
    target = f"w={width}:h={height}:filter=bicubic"
    ready = media.matrix == "bt709" and not media.full_range and not media.hdr
    if media.hdr:
        yield from _tone_mapped(media, target)
    elif not ready or (crop.w, crop.h) != (width, height):
        # zimg rounds where swscale truncates: as fast, and up to three levels nearer.
        yield f"zscale={target}:{_meant(media)}:m=709:r=limited"
    yield "format=yuv420p"
    yield BT709
    yield "setsar=1"


_ZIMG_MATRICES = {
    "gbr": "gbr",
    "bt470bg": "470bg",
    "smpte170m": "170m",
    "smpte240m": "240m",
    "fcc": "fcc",
    "bt2020nc": "2020_ncl",
    "bt2020c": "2020_cl",
}


def _meant(media: Media) -> str:
    """How a source's numbers are meant, in zscale's words."""
    return f"min={_ZIMG_MATRICES.get(media.matrix, '709')}:rin={'full' if media.full_range else 'limited'}"


def _tone_mapped(media: Media, target: str) -> Iterator[str]:
    """High dynamic range to BT.709: to linear light at the canvas's size, highlights compressed, back to video levels.

    1.0 is reference white of HLG and PQ programmes, 203 cd/m2 (ITU-R BT.2408). A Moebius curve leaves what is below
    half of it alone and puts reference white at 89 % of the signal; Hable's, the usual choice, darkens everything.
    """
    transfer = {"hlg": "arib-std-b67", "pq": "smpte2084"}[media.hdr]
    yield f"zscale={target}:{_meant(media)}:tin={transfer}:pin=2020:t=linear:npl=203"
    yield "format=gbrpf32le"
    yield "zscale=p=709"
    yield "tonemap=tonemap=mobius:param=0.5:desat=0"
    yield "zscale=t=709:m=709:r=limited"


def graded(grade: Grade) -> Iterator[str]:
    """One look-up table for each plane.

    On values v of R'G'B' from 0 to 1 the factors mean: exposure e on linear light, v * e^(1/2.4) (display gamma of
    ITU-R BT.1886); brightness b, v * b; contrast c, (v - 1/2) * c + 1/2; saturation s, distance from grey times s. As
    Y'CbCr is linear in R'G'B', gains of all three carry over: luma spans 16 to 235, colour 16 to 240 around 128.
    """
    gain = grade.exposure ** (1 / 2.4) * grade.brightness * grade.contrast
    lift = 16 + 219 * (1 - grade.contrast) / 2
    colour = gain * grade.saturation
    if (gain, lift, colour) == (1.0, 16.0, 1.0):
        return
    luma = f"clip((val-16)*{gain:.6f}+{lift:.6f}+0.5\\,16\\,235)"
    chroma = f"clip((val-128)*{colour:.6f}+128.5\\,16\\,240)"
    yield f"lutyuv=y='{luma}':u='{chroma}':v='{chroma}'"


def blurred(sigma_px: float, width: int, height: int) -> Iterator[str]:
    """A Gaussian blur of the standard deviation `sigma_px`."""
    if sigma_px <= 0:
        return
    if sigma_px < _WIDE_BLUR_PX:
        yield f"gblur=sigma={sigma_px:.3f}:steps=3"
        return
    small_w, small_h = (max(16, round(side / 8) * 2) for side in (width, height))
    yield f"scale={small_w}:{small_h}:flags=area"
    yield f"gblur=sigma={sigma_px / 4:.3f}:steps=3"
    yield f"scale={width}:{height}:flags=bicubic"
    yield BT709
