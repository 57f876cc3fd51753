"""What every far side has to be able to do, and what it is given for that. Knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from daemon.accounts.life import Account


class Seen(Enum):
    """What the far side says of an order to publish."""

    PUBLISHED = "published"  # it has taken the order
    NOTHING = "nothing"  # it has not, and will not: it can be given again
    NOT_YET = "not_yet"  # it is at it; ask again
    CANNOT_TELL = "cannot_tell"  # it does not know, or not any more


@dataclass(frozen=True, slots=True)
class Later:
    """There is more to do, but not now."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be published. `spec` is what was asked for, `result` what the job's result says of the film."""

    id: str
    spec: Mapping[str, Any]
    film: Path
    thumbnail: Path
    result: Mapping[str, Any]
    account: Account
    secrets: Mapping[str, str] = field(repr=False)


Keep = Callable[[dict[str, Any]], None]
"""Puts what the far side has told on the disk, before anything is done that depends on it. Raises where the delivery
was taken away meanwhile."""


class Session(Protocol):
    """One delivery on its way. `remote` is what the far side has told so far, plain JSON; who changes it keeps it.

    A process may die between any two steps and in any of them. Nothing but `send` may publish.
    """

    remote: dict[str, Any]

    @property
    def pause_s(self) -> float:
        """Seconds that the far side wants the account to be left alone after the last answer."""

    def prepare(self, keep: Keep) -> None:
        """Do all that publishes nothing yet: begin, upload, wait for the upload to be complete. What was done before is
        not done again.

        Raises:
            DeliveryError: it did not get so far.
        """

    def send(self, now: datetime) -> None:
        """Give the order to publish; when this returns, the far side has confirmed it.

        Raises:
            Unclear: it may have been taken.
            DeliveryError: it was not taken for sure.
        """

    def probe(self) -> Seen:
        """Ask what came of the order, after it had time to take effect.

        Raises:
            DeliveryError: the far side could not be asked now.
        """

    def finalize(self, keep: Keep) -> Later | tuple[str, ...]:
        """Do what follows once it is published, which may be done twice without harm, and find the link. Returns
        warnings when all is done.

        Raises:
            Refused: it has come to nothing after all.
            DeliveryError: it could not be done now.
        """


class Target(Protocol):
    """A kind of far side."""

    @property
    def settle_s(self) -> float:
        """So long after an order it may still take effect although nobody waits for it."""

    def open(self, parcel: Parcel, remote: Mapping[str, Any]) -> Session:
        """Take a delivery up where it is."""

    def most_a_day(self, parcel: Parcel) -> int:
        """How many of the same sort an account may publish in 24 hours; 0 is any number."""
