"""Who may use a door, and what a caller presents for it. Whether a key is good is the key store's word."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from starlette.datastructures import Headers

from daemon.errors import BadKey
from daemon.web.client import LOOPBACK, Network, Proxies, networks, proxies

SHORTEST_MASTER_KEY = 24
_HOW = 'send it in the header "X-Api-Key: catv_..." or "Authorization: Bearer catv_..."'


class Kind(Enum):
    """What opens a door."""

    NOTHING = "nothing"  # anybody may come in
    KEY = "key"
    KEY_OR_LINK = "key_or_link"  # a key, or a signed link to exactly this
    MASTER = "master"  # the master key, from an address that is listed
    RETURN = "return"  # a listed address and no key: what it brings back from elsewhere is judged behind the door


@dataclass(frozen=True, slots=True)
class Access:
    """What a door asks for: the kind, and for a key the scope that it must have. `of_operator`: without a master key
    the door is not there."""

    kind: Kind
    scope: str = ""
    of_operator: bool = False


PUBLIC = Access(Kind.NOTHING)
READ = Access(Kind.KEY, "read")
SUBMIT = Access(Kind.KEY, "submit")
METRICS = Access(Kind.KEY, "metrics")
LINK = Access(Kind.KEY_OR_LINK, "read")
ADMIN = Access(Kind.MASTER, of_operator=True)
ADMIN_RETURN = Access(Kind.RETURN, of_operator=True)
ADMIN_PAGE = Access(Kind.NOTHING, of_operator=True)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What an operator has set about access. Without a master key nothing of `/admin` is there."""

    master_key: str = field(default="", repr=False)
    admin_allow: tuple[Network, ...] = LOOPBACK
    trusted_proxies: Proxies = field(default_factory=Proxies)

    def __post_init__(self) -> None:
        if 0 < len(self.master_key) < SHORTEST_MASTER_KEY:
            raise ValueError(f"a master key has at least {SHORTEST_MASTER_KEY} characters")

    def is_master(self, presented: str) -> bool:
        """Compare with the master key in a time that does not tell how far they agree."""
        return hmac.compare_digest(self.master_key.encode(), presented.encode()) and bool(self.master_key)


def access_rules(
    master_key: str = "", admin_allow: Iterable[str] | None = None, trusted_proxies: Iterable[str] = ()
) -> AccessRules:
    """Read the rules from settings; addresses and networks are text such as `10.0.0.0/8`, a proxy also `unix`.

    Raises:
        ValueError: the master key is too short, or what should be a network is none.
    """
    return AccessRules(
        master_key, LOOPBACK if admin_allow is None else networks(tuple(admin_allow)), proxies(tuple(trusted_proxies))
    )


def has_key(headers: Headers) -> bool:
    """Say whether a caller presents any key at all."""
    return bool(headers.get("x-api-key", "").strip() or headers.get("authorization", "").strip())


def presented_key(headers: Headers) -> str:
    """Take the key from `X-Api-Key`, else from `Authorization: Bearer`.

    Raises:
        BadKey: there is none.
    """
    key = headers.get("x-api-key", "").strip() or _bearer(headers.get("authorization", ""))
    if not key:
        raise BadKey(f'An API key is needed; {_HOW}. "./vix keys create NAME" makes one.')
    return key


def presented_master_key(headers: Headers) -> str:
    """Take the master key from `X-Master-Key`, and from nowhere else.

    Raises:
        BadKey: there is none.
    """
    key = headers.get("x-master-key", "").strip()
    if not key:
        raise BadKey('The master key is needed; send the value of VIX_MASTER_KEY in the header "X-Master-Key".')
    return key


def _bearer(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    if authorization and scheme.lower() != "bearer":
        raise BadKey(f"The Authorization header is not of the kind Bearer; {_HOW}.")
    return value.strip()
