"""What the web side needs from the rest of the house, handed in by whoever wires it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.previews import Previews
from daemon.publishing import Publishing
from daemon.signing import LinkSigner
from daemon.sources.catalogue import Catalogue
from daemon.sources.library import Library
from daemon.store.accounts import AccountStore
from daemon.store.audit import AuditStore
from daemon.store.callbacks import CallbackStore
from daemon.store.deliveries import DeliveryStore
from daemon.store.errands import ErrandStore
from daemon.store.events import EventStore
from daemon.store.jobs import JobStore
from daemon.store.keys import KeyStore
from daemon.store.notices import AlertStore
from daemon.store.schedules import ScheduleStore
from daemon.store.views import JobViews
from daemon.store.workers import WorkerStore
from daemon.web.access import AccessRules
from daemon.web.connector import Connector
from daemon.web.pace import Pace
from fonts_cache import FontCache

_SCHEDULE_CHANGES = "A key may make or change 60 schedules a minute."


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that handlers use. `refusals` counts by limit, since this process started.

    `catalogue` only knows and never looks; `previews` draws in another process; `ring` wakes the worker for a job
    id and never raises; `check_url` raises ForbiddenAddress for a URL that can be told, without asking anybody, not
    to be for callbacks; `prune` removes what has been kept long enough, or with True only says what that is;
    `films` is the folder of finished files, `accel_redirect` where a proxy has it that sends them itself, and `data`
    the one that all changing files are under; `settings` are shown to operators and hold no secret; `public_url` is
    what clients reach the service at, where that is known.
    """

    jobs: JobStore
    views: JobViews
    events: EventStore
    callbacks: CallbackStore
    deliveries: DeliveryStore
    accounts: AccountStore
    alerts: AlertStore
    connector: Connector
    keys: KeyStore
    workers: WorkerStore
    audit: AuditStore
    errands: ErrandStore
    schedules: ScheduleStore
    signer: LinkSigner
    library: Library
    catalogue: Catalogue
    publishing: Publishing
    fonts: FontCache
    previews: Previews
    ring: Callable[[str], None]
    check_url: Callable[[str], None]
    prune: Callable[[bool], dict[str, Any]]
    data: Path
    films: Path
    accel_redirect: str = ""
    access: AccessRules = field(default_factory=AccessRules)
    settings: Mapping[str, Any] = field(default_factory=dict)
    public_url: str | None = None
    signed_for: timedelta = timedelta(hours=24)
    version: str = ""
    commit: str = ""
    refusals: Counter[str] = field(default_factory=Counter)
    dry_runs: Pace = field(default_factory=lambda: Pace("dry_run", 60, "A key may ask for 60 dry runs a minute."))
    drawn: Pace = field(default_factory=lambda: Pace("preview", 120, "A key may ask for 120 previews a minute."))
    redeliveries: Pace = field(default_factory=lambda: Pace("redeliver", 1, "A job is told of again once a minute."))
    schedule_changes: Pace = field(default_factory=lambda: Pace("schedules", 60, _SCHEDULE_CHANGES))
    now: Callable[[], datetime] = _now
