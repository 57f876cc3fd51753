"""An outbox with everything that publishes: a real database, real files of films, accounts connected to the far side of
`tests.fakes.facebook` as an operator connects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from daemon.accounts.facebook import FacebookAccounts, Given
from daemon.accounts.life import Account
from daemon.accounts.watch import TokenWatch
from daemon.deliveries.dispatch import Dispatch
from daemon.deliveries.facebook import Facebook as Target
from daemon.deliveries.life import Delivery, State
from daemon.facebook.graph import Graph
from daemon.films import Films
from daemon.jobs import Job, NewJob
from daemon.publishing import Publishing, parse_publish
from daemon.store.accounts import AccountStore
from daemon.store.database import Database
from daemon.store.deliveries import DeliveryStore
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.notices import AlertStore, Notices
from daemon.store.vault import VaultStore
from daemon.vault import Vault
from tests.canaries import found_in
from tests.fakes import facebook as far_side
from tests.fakes.facebook import APP_ID, APP_SECRET

# What the result of a job says of a film that may be a Reel, and of one that may not.
REEL = {"width": 1080, "height": 1920, "duration_s": 15.0, "fps": 30.0, "style": "waves", "clips": []}
LANDSCAPE = {**REEL, "width": 1920, "height": 1080}
KEY = "key1"
SETTLE_S = 120.0


@dataclass
class Outbox:
    """`clock` is everybody's, the far side's too."""

    far: far_side.Facebook
    clock: Callable[[], datetime]
    database: Database
    folder: Path
    settle_s: float = SETTLE_S
    owner: str = "seat.1-1"
    keys: Callable[[], Sequence[str]] = field(default_factory=lambda: _one_key())

    def __post_init__(self) -> None:
        notices = Notices("http://127.0.0.1:9/operator", has_channels=True)
        self.vault = Vault(VaultStore(self.database), self.keys)
        self.jobs = JobStore(self.database, self.clock)
        self.events = EventStore(self.database)
        self.alerts = AlertStore(self.database, self.clock)
        self.accounts = AccountStore(self.database, self.clock, notices)
        self.deliveries = DeliveryStore(self.database, self.clock, notices=notices)
        self.facebook = FacebookAccounts(self.accounts, self.vault, lambda: Graph(self.far.url))
        self.watch = TokenWatch(self.accounts, VaultStore(self.database, self.clock), {"facebook": self.facebook})
        self.publishing = Publishing(self.accounts.list, lambda key_id: None, self.clock)
        self.films = Films(self.folder / "films")
        self.films.folder.mkdir(parents=True, exist_ok=True)
        self.dispatch = self.dispatch_of(self.owner)

    def dispatch_of(self, owner: str) -> Dispatch:
        """What publishes, as another run of a worker has it."""
        return Dispatch(
            self.deliveries,
            self.accounts,
            {"facebook": Target(lambda: Graph(self.far.url), self.settle_s, ask_again_s=0.01, clock=self.clock)},
            self.films,
            self.vault.get,
            self.watch.refused,
            owner,
            self.clock,
            lambda: 0.5,
        )

    def connect(self, token: str = "EAAshort" + "1" * 40) -> list[Account]:
        """Connect all pages with a user's token, which the far side is told of."""
        return self.facebook.connect(Given(self.far.user_token(token), APP_ID, APP_SECRET))

    def ask(self, publish: dict[str, Any] | None = None) -> Job:
        """Ask for a film that is published; by default on the only page."""
        asked = parse_publish({"facebook": {}} if publish is None else publish)
        new = NewJob("template", {"name": "a"}, 7, KEY, film_s=10.0, deliveries=self.publishing.read(asked))
        return self.jobs.submit(new).job

    def make(self, job: Job, result: dict[str, Any] = REEL, content: bytes = b"film" * 50_000) -> Job:
        """Finish the film of a job."""
        claimed = self.jobs.claim(self.owner, job.id)
        assert claimed is not None
        (self.films.folder / f"{claimed.stem}.mp4").write_bytes(content)
        (self.films.folder / f"{claimed.stem}.jpg").write_bytes(b"\xff\xd8cover")
        assert self.jobs.finish(claimed.claim, dict(result), film=claimed.stem)
        return self.jobs.get(job.id)

    def post(self, publish: dict[str, Any] | None = None, result: dict[str, Any] = REEL) -> Job:
        """Ask for a film and finish it."""
        return self.make(self.ask(publish), result)

    def turn(self) -> Delivery | None:
        """Be at what is due next, if anything is."""
        delivery = self.dispatch.claim()
        if delivery is not None:
            self.dispatch.step(delivery)
        return delivery and self.deliveries.get(delivery.id)

    def turns(self, most: int = 50) -> None:
        """Be at everything that is due."""
        for _ in range(most):
            if self.turn() is None:
                return
        raise AssertionError("it never ends")

    def hides_its_secrets(self) -> None:
        """See that nothing in the database's files is a token or the app's secret, as it could be read by others; a
        server's are not here."""
        try:
            database = self.database.path
        except ValueError:
            return
        for path in database.parent.glob(f"{database.name}*"):
            assert found_in(path.read_bytes(), self.far.tokens) == "", path.name

    def states(self, job: Job) -> list[State]:
        return [one.state for one in self.jobs.get(job.id).deliveries]

    def types(self, job: Job) -> list[str]:
        return [event.type for event in self.events.after(job.id, 0, 1000)]

    def alarms(self) -> list[str]:
        """The headlines of all alerts so far, told or not."""
        return [alert.subject for alert in self.alerts.due(1000)]


def _one_key() -> Callable[[], Sequence[str]]:
    key = Fernet.generate_key().decode()
    return lambda: [key]


@contextmanager
def outbox(database: Database, clock: Callable[[], datetime], folder: Path, **settings: Any) -> Iterator[Outbox]:
    """An outbox with one connected page; `settings` are the far side's."""
    with far_side.facebook(now=lambda: clock().timestamp(), **settings) as far:
        box = Outbox(far, clock, database, folder)
        box.connect()
        yield box
        box.hides_its_secrets()
