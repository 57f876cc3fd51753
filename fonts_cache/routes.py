"""Google Fonts' two ways: which URL to ask, and what the answer says. Fetches nothing and trusts nothing.

With a key the Developer API lists families with a file of each style; without one the catalogue of the website does,
and a file's URL comes out of the CSS that browsers get. Both give static TrueType files to a plain client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

_FILES = "fonts.gstatic.com"
_FAMILY = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ]{0,79}")
_VARIANT = re.compile(r"[1-9]00i?")
_SRC = re.compile(r"src:\s*url\(['\"]?([^'\")\s]+)['\"]?\)")
_MOST_FAMILIES = 20_000


class Rubbish(ValueError):
    """An answer that is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of the catalogue. `variants` are CSS weights with an `i` for italics ("400", "700i"); `files` are URLs
    by variant where the catalogue has them; `licence` is empty where it does not say."""

    name: str
    category: str
    variants: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where to ask. `base` is empty for Google itself, or a server of one's own with the same paths."""

    base: str = ""
    key: str = field(default="", repr=False)

    @property
    def catalogue_url(self) -> str:
        if self.key:
            return f"{self.base or 'https://www.googleapis.com'}/webfonts/v1/webfonts?key={quote(self.key, safe='')}"
        return self.website_url

    @property
    def website_url(self) -> str:
        """The catalogue that needs no key."""
        return f"{self.base or 'https://fonts.google.com'}/metadata/fonts"

    def css_url(self, family: str, variant: str) -> str:
        """The style sheet of one face; of the regular one without naming it, which every family understands."""
        url = f"{self.base or 'https://fonts.googleapis.com'}/css2?family={quote(family, safe='').replace('%20', '+')}"
        if variant == "400":
            return url
        return f"{url}:ital,wght@1,{variant[:-1]}" if variant.endswith("i") else f"{url}:wght@{variant}"

    def file_url(self, url: str) -> str:
        """A file's URL as it is fetched: from Google's file host by https, or from one's own server; nowhere else.

        Raises:
            Rubbish: it is at another host.
        """
        parts = urlsplit(url)
        if parts.hostname == _FILES and parts.scheme in ("http", "https") and not self.base:
            return f"https://{_FILES}{parts.path}"
        if self.base and f"{parts.scheme}://{parts.netloc}" == self.base:
            return url
        raise Rubbish(f"the file is said to be at {parts.hostname or 'no host'}, which is not asked")


def is_family(name: str) -> bool:
    """Whether a name may be one of Google's: letters, digits and spaces."""
    return _FAMILY.fullmatch(name) is not None


def variant(weight: int, italic: bool) -> str:
    """Write a face as the catalogue does: "400", "700i"."""
    return f"{weight}{'i' if italic else ''}"


def face_of(variant: str) -> tuple[int, bool]:
    """Weight and italic of a variant."""
    return int(variant.rstrip("i")), variant.endswith("i")


def read_catalogue(data: bytes) -> list[Family]:
    """Read either route's list of families.

    Raises:
        Rubbish: it is neither, or empty.
    """
    try:
        # The website once put )]}' before its JSON, against scripts of others.
        found = json.loads(data[max(0, data.find(b"{")) :])
        entries = found.get("items") or found.get("familyMetadataList")
        families = [family for entry in entries[:_MOST_FAMILIES] for family in _family(entry)]
    except (ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise Rubbish("the list of families is not as it should be") from exc
    if not families:
        raise Rubbish("the list of families is empty")
    return families


def _family(entry: Any) -> Iterator[Family]:
    """One entry, or nothing where it cannot be used."""
    name, files = entry.get("family"), entry.get("files") or {}
    styles = entry.get("variants") or list(entry.get("fonts") or {})
    if not isinstance(name, str) or not is_family(name) or not isinstance(styles, list) or not isinstance(files, dict):
        return
    variants = sorted({shown for style in styles if isinstance(style, str) and (shown := _shown(style))})
    urls = {_shown(style): url for style, url in files.items() if isinstance(url, str)}
    if variants:
        category = str(entry.get("category", "")).lower().replace("_", "-").replace(" ", "-")
        licence = entry.get("license")
        yield Family(name, category, tuple(variants), urls, licence if isinstance(licence, str) else "")


def _shown(style: str) -> str:
    """A style of either route ("regular", "italic", "700italic", "700i") as a variant, or nothing."""
    short = style.replace("regular", "400").replace("italic", "i")
    short = "400i" if short == "i" else short
    return short if _VARIANT.fullmatch(short) else ""


def read_css(data: bytes) -> str:
    """Take the one file out of a style sheet.

    Raises:
        Rubbish: it names none, or several: then each is only a part of the font.
    """
    found = _SRC.findall(data.decode("utf-8", "replace"))
    if len(found) != 1:
        raise Rubbish(f"the style sheet names {len(found)} files instead of one")
    return str(found[0])
