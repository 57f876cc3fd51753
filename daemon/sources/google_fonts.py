"""How fonts are fetched from Google Fonts or a server in its place: small, soon, and from nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from daemon.errors import UrlRefused
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Outbound, Refused, TooLarge, TooManyRedirects
from daemon.outbound.sockets import Deadline, NotReached
from daemon.outbound.urls import parse
from fonts_cache import NotFetched
from fonts_cache.google import Fetch

TOTAL_S, STALL_S = 20.0, 8.0
# Google answers a plain client like this with one whole TrueType file a face; browsers get WOFF2 in pieces.
_AGENT = "Vix"


def fetcher(base: str, private_hosts: Sequence[str], *, total_s: float = TOTAL_S, stall_s: float = STALL_S) -> Fetch:
    """Make what fetches. The operator names `base`, so it may be private; redirects are not followed, as they would
    lead around the list of hosts."""
    named = [host] if (host := urlsplit(base).hostname) else []
    outbound = Outbound(Guard([*private_hosts, *named]), agent=_AGENT)

    def fetch(url: str, most_bytes: int) -> bytes:
        try:
            with outbound.get(parse(url), Deadline(total_s, stall_s), most_redirects=0) as response:
                body = bytearray()
                for piece in response.iter_raw():
                    body += piece
                    if len(body) > most_bytes:
                        raise TooLarge(most_bytes)
                return bytes(body)
        except Refused as exc:
            raise NotFetched(str(exc).rstrip("."), permanent=exc.permanent) from exc
        except TooLarge as exc:
            raise NotFetched(str(exc).rstrip("."), permanent=True) from exc
        except (NotReached, UrlRefused, TooManyRedirects) as exc:
            raise NotFetched(str(exc).rstrip(".")) from exc

    return fetch
