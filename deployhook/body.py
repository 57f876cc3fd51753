"""Reads the bytes of a call, with limits in size, time and memory of all calls together. Knows nothing of what they
mean."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from deployhook.errors import BodyTooLarge, BodyTooSlow, TooBusy
from deployhook.github import MOST_BYTES

DEADLINE_S = 10.0
# Nobody needs a secret to send bytes, so what strangers can make the hook hold at once has an end.
_MOST_AT_ONCE = MOST_BYTES + 4 * 1024 * 1024


class Reader:
    """Reads bodies of at most `most_bytes` within `deadline_s` seconds."""

    def __init__(self, most_bytes: int = MOST_BYTES, deadline_s: float = DEADLINE_S) -> None:
        self._most_bytes = most_bytes
        self._deadline_s = deadline_s
        self._held_bytes = 0

    async def read(self, request: Request) -> bytearray:
        """Return the raw bytes of a body.

        Raises:
            BodyTooLarge, BodyTooSlow, TooBusy: as their names say.
        """
        length = request.headers.get("content-length", "")
        self._check_size(int(length) if length.isdecimal() else 0)
        received = bytearray()
        try:
            async with asyncio.timeout(self._deadline_s):
                async for chunk in request.stream():
                    self._held_bytes += len(chunk)
                    received += chunk
                    self._check_size(len(received))
                    if self._held_bytes > _MOST_AT_ONCE:
                        raise TooBusy("Too many large bodies arrive at once; send it again in a few seconds.")
        except TimeoutError:
            raise BodyTooSlow(f"The body did not arrive within {self._deadline_s:g} s; send it again.") from None
        finally:
            self._held_bytes -= len(received)
        return received

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._most_bytes:
            raise BodyTooLarge(f"The body is larger than {self._most_bytes} bytes, which GitHub never sends.")
