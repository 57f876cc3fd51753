"""What pages of HTML have in common: their head, their own style and script, and a policy that lets in nothing else.
They load nothing and work offline."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from urllib.parse import quote

_STATIC = Path(__file__).parent / "static"
# A frame of film, so that a browser does not ask for one.
_ICON = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='4' fill='#5b5bd6'/>"
    "<path d='M6 4.5v7l6-3.5z' fill='#fff'/></svg>"
)


def static(name: str) -> str:
    """Read one of the files that pages are made of."""
    return (_STATIC / name).read_text("utf-8")


def policy(style: str, script: str = "", connect: str = "'none'") -> str:
    """The Content-Security-Policy of a page that holds this style and this script; `connect` is what it may ask."""
    scripts = _hashed(script) if script else "'none'"
    return (
        f"default-src 'none'; style-src {_hashed(style)}; script-src {scripts}; connect-src {connect}; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def head(title: str, style: str) -> str:
    """Everything before the body."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="{_ICON}"><style>{style}</style></head>'
    )


def _hashed(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
