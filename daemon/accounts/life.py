"""What an account is, and when somebody has to be warned about its token. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

WARN_DAYS = (14, 7, 3, 1)
"""Days before its end at which a token's operator is warned, once each."""
_DATA_OVER = "data"
_DAY_S = 86_400


class AccountState(StrEnum):
    """Whether films can be published with it."""

    OK = "ok"
    DEAD = "dead"  # its token is refused, or lacks a right; its deliveries are held
    REMOVED = "removed"  # an operator has disconnected it


@dataclass(frozen=True, slots=True)
class Account:
    """An account without its secrets. `expires_at` is the end of its token, `data_until` that of its access to data;
    None is never. `told` are the warnings that were given about the present token."""

    id: str
    kind: str
    remote_id: str
    name: str
    state: AccountState
    problem: str
    warning: str
    about: dict[str, Any]
    told: tuple[str, ...]
    expires_at: datetime | None
    data_until: datetime | None
    paused_until: datetime | None
    checked_at: datetime | None
    connected_at: datetime

    @property
    def ends_at(self) -> datetime | None:
        """What comes first of the two ends."""
        ends = [at for at in (self.expires_at, self.data_until) if at is not None]
        return min(ends) if ends else None

    def days_left(self, now: datetime) -> float | None:
        """Days until the first end, to one place; 0 once it is there or the token is dead, None where there is no
        end."""
        if self.state is not AccountState.OK:
            return 0.0
        if self.ends_at is None:
            return None
        return max(0.0, math.floor((self.ends_at - now).total_seconds() / _DAY_S * 10) / 10)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to say of a token now: a sentence that holds until it has changed (empty: nothing), the words of it that are
    new, and all that will have been told then."""

    warning: str = ""
    is_news: bool = False
    told: tuple[str, ...] = field(default=())


def outlook(account: Account, now: datetime) -> Outlook:
    """Say whether a token that is good has to be warned about: at so many days before its end, each time once. Who
    looks late is told the last of them alone."""
    ends_at = account.ends_at
    if ends_at is None:
        return Outlook()
    left_days = (ends_at - now).total_seconds() / _DAY_S
    reached = [str(days) for days in WARN_DAYS if left_days <= days]
    if left_days <= 0:
        reached.append(_DATA_OVER)
    if not reached:
        return Outlook()
    is_news = reached[-1] not in account.told
    return Outlook(_sentence(account, ends_at, now), is_news, tuple(dict.fromkeys([*account.told, *reached])))


def _sentence(account: Account, ends_at: datetime, now: datetime) -> str:
    day = f"{ends_at:%Y-%m-%d}"
    again = f"Connect it again: ./vix accounts add {account.kind}."
    if account.expires_at is not None and account.expires_at == ends_at:
        return f'The token of "{account.name}" ends on {day}; after that nothing is published. {again}'
    if ends_at > now:
        return (
            f'The access of "{account.name}" to data ends on {day}, 90 days after somebody has logged in; publishing '
            f"may end with it. {again}"
        )
    return f'The access of "{account.name}" to data has ended on {day}; publishing may end any time. {again}'
