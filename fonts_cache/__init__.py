"""Font names to local files: the operator's, those that ship, the system's, and Google Fonts."""

from __future__ import annotations

from fonts_cache.cache import FontCache, UnknownFont
from fonts_cache.google import GoogleFonts, NotFetched
from fonts_cache.routes import Routes

__all__ = ["FontCache", "GoogleFonts", "NotFetched", "Routes", "UnknownFont"]
