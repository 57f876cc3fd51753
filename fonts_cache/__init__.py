"""Font names to local files: the operator's folder, the fonts that ship here, the fonts of the system."""

from __future__ import annotations

from fonts_cache.cache import FontCache, UnknownFont

__all__ = ["FontCache", "UnknownFont"]
