"""A process that publishes what is due, and nothing else: `publisher_process DATA SETTINGS`, the settings as JSON of
what differs from `DEFAULTS`. With `naive` it does what a worker does that never asks what came of an order."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon import failpoints
from daemon.accounts.facebook import FacebookAccounts
from daemon.accounts.watch import TokenWatch
from daemon.deliveries.dispatch import Dispatch
from daemon.deliveries.dispatcher import Dispatcher
from daemon.deliveries.facebook import Facebook, FacebookSession
from daemon.deliveries.target import Parcel, Seen, Session
from daemon.facebook.graph import Graph
from daemon.films import Films
from daemon.store.accounts import AccountStore
from daemon.store.database import open_database
from daemon.store.deliveries import DeliveryStore
from daemon.store.vault import VaultStore
from daemon.vault import KeyFile, Vault
from daemon.worker.lock import WorkerLock, new_owner, seat

DEFAULTS: dict[str, Any] = {"url": "", "settle_s": 3.0, "at_once": 2, "naive": False, "fail_at": ""}


class Naive:
    """The same target, without a settle time and without a look at what is there: an order whose end nobody has heard
    is given again."""

    settle_s = 0.0

    def __init__(self, target: Facebook) -> None:
        self._target = target

    def most_a_day(self, parcel: Parcel) -> int:
        return self._target.most_a_day(parcel)

    def open(self, parcel: Parcel, remote: Mapping[str, Any]) -> Session:
        return Unasked(self._target.open(parcel, remote))


class Unasked:
    """A session whose `probe` asks nobody."""

    def __init__(self, session: FacebookSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def probe(self) -> Seen:
        return Seen.NOTHING


def main(data: Path, told: dict[str, Any]) -> None:
    settings = DEFAULTS | told
    logging.basicConfig(filename=data / "publisher.log", level=logging.INFO)
    failpoints.arm(settings["fail_at"])
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with WorkerLock(data / "worker.lock"):
        database = open_database(data / "vix.db")
        vault = Vault(VaultStore(database), KeyFile(data / "vault.key").read)
        accounts = AccountStore(database)
        facebook = FacebookAccounts(accounts, vault, lambda: Graph(settings["url"]))
        watch = TokenWatch(accounts, VaultStore(database), {"facebook": facebook})
        target = Facebook(lambda: Graph(settings["url"]), settings["settle_s"], ask_again_s=0.2)
        dispatch = Dispatch(
            DeliveryStore(database),
            accounts,
            {"facebook": Naive(target) if settings["naive"] else target},
            Films(data / "films"),
            vault.get,
            watch.refused,
            new_owner(seat(data)),
        )
        with Dispatcher(dispatch, seat(data), at_once=settings["at_once"]):
            ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
