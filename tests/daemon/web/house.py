"""A whole web side for tests: real SQLite files, a real library of names, a real server on a free port."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import imageio_ffmpeg
from starlette.applications import Starlette

from daemon.accounts.facebook import FacebookAccounts
from daemon.accounts.life import Account
from daemon.accounts.watch import TokenWatch
from daemon.announce import announcer
from daemon.commands.connector import LazyConnector
from daemon.deliveries.life import Delivery, Setback, State, Step
from daemon.facebook.graph import Graph
from daemon.jobs import Claim, Job
from daemon.outbound.addresses import Guard
from daemon.previews import Previews
from daemon.publishing import Publishing
from daemon.signing import LinkSigner
from daemon.sources.catalogue import only_known
from daemon.sources.library import Library
from daemon.store.accounts import AccountStore, Found
from daemon.store.audit import AuditStore
from daemon.store.callbacks import CallbackStore
from daemon.store.database import Database, open_database
from daemon.store.deliveries import DeliveryStore
from daemon.store.errands import ErrandStore
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.notices import AlertStore
from daemon.store.schedules import ScheduleStore
from daemon.store.vault import VaultStore
from daemon.store.views import JobViews
from daemon.store.workers import WorkerStore
from daemon.vault import KeyFile, Vault
from daemon.web.access import access_rules
from daemon.web.app import create_app
from daemon.web.server import WebServer, bound_server
from daemon.web.services import Services
from fonts_cache import FontCache

LIBRARY = ["styles/waves/one.mp4", "styles/waves/two.mov", "styles/stars/one.mp4", "audio/calm.m4a", "logos/logo.png"]

PEPPER = b"pepper" * 8
MASTER_KEY = "the master key of the tests"
INSIDE = {"X-Forwarded-For": "127.0.0.1"}


def connector_of(data: Path, database: Database, accounts: AccountStore, facebook_url: str) -> LazyConnector:
    """What connects accounts of a far side, as the API has it."""
    vaults = VaultStore(database)
    facebook = FacebookAccounts(accounts, Vault(vaults, KeyFile(data / "vault.key").read), lambda: Graph(facebook_url))
    return LazyConnector(lambda: facebook, lambda: TokenWatch(accounts, vaults, {"facebook": facebook}), vaults.drop)


def services_at(data: Path, busy_s: float = 5.0, facebook_url: str = "http://127.0.0.1:9") -> Services:
    """Services on a data folder, made if need be; rings go nowhere. `busy_s`: how long a locked database is tried."""
    for name in LIBRARY:
        path = data / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (data / "films").mkdir(exist_ok=True)
    (data / "library" / "styles" / "link").symlink_to("/etc")
    database = open_database(data / "vix.db", busy_s=busy_s)
    keys, accounts = KeyStore(database, PEPPER), AccountStore(database)
    return Services(
        jobs=JobStore(database, announce=announcer()),
        views=JobViews(database),
        events=EventStore(database),
        callbacks=CallbackStore(database),
        deliveries=DeliveryStore(database, announce=announcer()),
        accounts=accounts,
        alerts=AlertStore(database),
        connector=connector_of(data, database, accounts, facebook_url),
        keys=keys,
        workers=WorkerStore(database),
        audit=AuditStore(database),
        errands=ErrandStore(database),
        schedules=ScheduleStore(database),
        signer=LinkSigner(PEPPER),
        library=Library(data / "library"),
        catalogue=only_known(data / "catalogue.json"),
        publishing=Publishing(accounts.list, lambda key_id: keys.get(key_id).publish),
        fonts=FontCache(data / "fonts", system=()),
        previews=Previews(imageio_ffmpeg.get_ffmpeg_exe, data / "preview"),
        ring=lambda job_id: None,
        check_url=Guard().check_url,
        prune=lambda is_dry: {},
        data=data,
        films=data / "films",
        version="1.2.3",
        commit="abc1234",
    )


def administered(services: Services) -> Services:
    """The same with a master key, behind a proxy on this machine: `X-Forwarded-For` says where a test calls from, such
    as `INSIDE`."""
    return replace(services, access=access_rules(MASTER_KEY, trusted_proxies=["127.0.0.1"]))


@contextmanager
def running(services: Services, server: WebServer | None = None) -> Iterator[WebServer]:
    """Run a server in a thread until the block ends."""
    ready = threading.Event()
    server = server or bound_server(create_app(services), "127.0.0.1", 0)
    server.on_ready = lambda url: ready.set()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(30)
        yield server
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@dataclass(frozen=True)
class House:
    """A running server and what tests reach around it. `client` has a key, `stranger` another, `nobody` has none."""

    services: Services
    server: WebServer
    key: str
    client: httpx2.Client
    stranger: httpx2.Client
    nobody: httpx2.Client
    rung: list[str]

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def app(self) -> Starlette:
        return self.server.app

    @property
    def jobs(self) -> JobStore:
        return self.services.jobs

    @property
    def views(self) -> JobViews:
        return self.services.views

    @property
    def keys(self) -> KeyStore:
        return self.services.keys

    @property
    def data(self) -> Path:
        return self.services.data

    @property
    def films(self) -> Path:
        return self.services.films

    def submit(self, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a film over HTTP and return the answer."""
        answer = self.client.post("/v1/generate", content=json.dumps(spec or {}))
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def schedule(self, **members: Any) -> dict[str, Any]:
        """Ask for a schedule over HTTP, every day at nine unless said otherwise, and return the answer."""
        body = {"name": "Film", "every": "day", "at": "09:00", "spec": {}, **members}
        answer = self.client.post("/v1/schedules", content=json.dumps(body))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def status(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/status/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def claim(self, job_id: str) -> Claim:
        """Take the job as a worker does; it has to be the next one."""
        job = self.jobs.claim("a worker")
        assert job is not None
        assert job.id == job_id
        return job.claim

    def finish(
        self, job_id: str, film: bytes, thumbnail: bytes = b"jpeg", warnings: tuple[str, ...] = (), **result: Any
    ) -> None:
        """Do what a worker does: claim the job, put its files down, finish it."""
        claim = self.claim(job_id)
        stem = self.jobs.get(job_id).stem
        (self.films / f"{stem}.mp4").write_bytes(film)
        (self.films / f"{stem}.jpg").write_bytes(thumbnail)
        digest = hashlib.sha256(film).hexdigest()
        said = {"bytes": len(film), "sha256": digest, "seed": 1, **result}
        assert self.jobs.finish(claim, said, warnings, film=stem)

    def account(self, name: str = "My Page", ends: datetime | None = None) -> Account:
        """Write down a page as if it was connected, with a token that ends then."""
        accounts, remote_id = self.services.accounts, str(zlib.crc32(name.encode()))
        account_id = accounts.id_for("facebook", remote_id)
        return accounts.connect(account_id, "facebook", Found(remote_id, name, {"scopes": ["a"]}, ends, None))

    def published(self, **submitted: Any) -> Job:
        """Ask for a film that is published on the only page, and finish it."""
        self.account()
        job_id = self.submit({"publish": {"facebook": {}}, "priority": 10, **submitted})["job_id"]
        self.finish(job_id, b"film")
        return self.jobs.get(job_id)

    def unknown(self, job: Job) -> Delivery:
        """Be the worker that has sent what is due, and cannot learn what came of it."""
        deliveries = self.services.deliveries
        claimed = deliveries.claim_due("a seat.1", 60)
        assert claimed is not None
        assert claimed.job_id == job.id
        sent = deliveries.go_on(claimed, Step(State.SENDING, {"video_id": "5"}), 60)
        assert sent is not None
        error = Setback("cannot_tell", "The far side cannot say.", False)
        assert deliveries.let_go(sent, Step(State.UNKNOWN, {"video_id": "5"}, error=error))
        return deliveries.get(claimed.id)

    def heartbeat(self, job: str | None = None) -> None:
        """Write what a living worker writes."""
        self.services.workers.join("a worker", {"version": "1.2.3", "commit": "abc1234", "ffmpeg": "9.0.2"})
        self.services.workers.beat("a worker", job)

    def empty_library(self) -> None:
        shutil.rmtree(self.data / "library")


@contextmanager
def open_house(data: Path) -> Iterator[House]:
    """A house on a fresh data folder."""
    rung: list[str] = []
    services = replace(services_at(data), ring=rung.append)
    with opened(services, rung) as house:
        yield house


@contextmanager
def opened(services: Services, rung: list[str]) -> Iterator[House]:
    """Run a server on services and make clients for it."""
    with running(services) as server, ExitStack() as stack:
        _, key = services.keys.create("one")
        _, other = services.keys.create("another")
        client = partial(httpx2.Client, base_url=server.url, timeout=60, trust_env=False)
        mine, theirs, none = (
            stack.enter_context(client(headers=headers)) for headers in ({"X-Api-Key": key}, {"X-Api-Key": other}, {})
        )
        yield House(services, server, key, mine, theirs, none, rung)
