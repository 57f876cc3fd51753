"""The keys table: who may call, and how often. Of a secret only an HMAC is kept; the secret itself is shown once."""

from __future__ import annotations

import base64
import builtins
import hashlib
import hmac
import os
import re
import secrets
import string
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon import failpoints
from daemon.errors import BadKey, BadName, KeyRevoked, SettingsError, UnknownKey
from daemon.jobs import Limits
from daemon.store.database import Database
from daemon.store.tables import KeyRow, utc_now

# Whose the callbacks are that an operator asks for all jobs.
OPERATOR = "operator"
SCOPES = ("submit", "read", "metrics")
DEFAULT_SCOPES = frozenset({"submit", "read"})
_PREFIX = "catv"
_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 8
_SECRET_LENGTH = 43  # 256 bits
_PRESENTED = re.compile(rf"{_PREFIX}_([A-Za-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9]{{{_SECRET_LENGTH}}})", re.ASCII)
_LONGEST_NAME = 100
_PEPPER_BYTES = 32
NO_LIMITS = Limits()
_USED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """The limits that one key has for itself: 0 is no limit, None the service's own."""

    per_minute: int | None = None
    per_day: int | None = None
    waiting: int | None = None

    def over(self, service: Limits) -> Limits:
        """Fill what is not set."""
        return Limits(
            service.per_minute if self.per_minute is None else self.per_minute,
            service.per_day if self.per_day is None else self.per_day,
            service.waiting if self.waiting is None else self.waiting,
        )


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are aware and in UTC; a revoked or expired key opens nothing.

    `limits` is what holds for it, `own_limits` what it says itself. `tat_at`, `day` and `day_count` are what its
    requests have used up, as in `daemon.store.quota`. A secret that was replaced opens until `old_until`. `publish` is
    where its films go unless a request says otherwise, as the `publish` of one.
    """

    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None = None
    scopes: frozenset[str] = DEFAULT_SCOPES
    limits: Limits = field(default_factory=Limits)
    own_limits: OwnLimits = field(default_factory=OwnLimits)
    expires_at: datetime | None = None
    used_at: datetime | None = None
    old_until: datetime | None = None
    tat_at: datetime | None = None
    day: int = 0
    day_count: int = 0
    publish: dict[str, Any] | None = None

    def is_open(self, now: datetime) -> bool:
        """Say whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyStore:
    """The keys table. `pepper` is the secret of this installation that the stored digests depend on; `limits` hold for
    keys that have none of their own.

    Every method may raise what `Database.read` and `Database.write` raise.
    """

    def __init__(
        self,
        database: Database,
        pepper: bytes,
        limits: Limits = NO_LIMITS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._pepper = pepper
        self._limits = limits
        self._clock = clock

    def create(
        self,
        name: str,
        *,
        scopes: Collection[str] = DEFAULT_SCOPES,
        limits: OwnLimits = OwnLimits(),
        expires_at: datetime | None = None,
        publish: dict[str, Any] | None = None,
    ) -> tuple[Key, str]:
        """Make a key; the second value is what a caller presents, and nobody can read it again.

        Raises:
            BadName: the name is empty, too long, or not printable.
            ValueError: there is no such scope, or none is given.
        """
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise BadName
        key_id, secret = _random(_ID_LENGTH), _random(_SECRET_LENGTH)
        row = KeyRow(
            id=key_id,
            name=name,
            digest=self._digest(secret),
            created_at=self._clock(),
            **_terms(scopes, limits, expires_at, publish),
        )
        with self._database.write() as connection:
            KeyRow.insert(row.__data__).execute(connection)
        return self._key(row), f"{_PREFIX}_{key_id}_{secret}"

    def list(self) -> builtins.list[Key]:
        """Read all keys, the oldest first."""
        with self._database.read() as connection:
            rows = list(KeyRow.select().order_by(KeyRow.created_at, KeyRow.id).execute(connection))
        return [self._key(row) for row in rows]

    def get(self, key_id: str) -> Key:
        """Read a key.

        Raises:
            UnknownKey: there is none.
        """
        with self._database.read() as connection:
            return self._key(_row(connection, key_id))

    def revoke(self, key_id: str) -> bool:
        """Let a key open nothing from now on; False where there is no such key or it was revoked before."""
        query = KeyRow.update(revoked_at=self._clock()).where(KeyRow.id == key_id, KeyRow.revoked_at.is_null())
        with self._database.write() as connection:
            changed: int = query.execute(connection)
        return changed == 1

    def change(self, key_id: str, edit: Callable[[Key], Key]) -> Key:
        """Change what a key may do: the scopes, own limits, expiry and publishing of what `edit` makes of it.

        Raises:
            UnknownKey: there is none.
            KeyRevoked: its life has ended.
            ValueError: there is no such scope, or none is given.
        """
        with self._database.write() as connection:
            row = _row(connection, key_id)
            if row.revoked_at is not None:
                raise KeyRevoked
            edited = edit(self._key(row))
            terms = _terms(edited.scopes, edited.own_limits, edited.expires_at, edited.publish)
            KeyRow.update(**terms).where(KeyRow.id == key_id).execute(connection)
            return self._key(_row(connection, key_id))

    def rotate(self, key_id: str, overlap: timedelta) -> tuple[Key, str]:
        """Give a key a new secret; the one it had opens and signs for as long as `overlap`, one before that no more.

        Raises:
            UnknownKey: there is none.
            KeyRevoked: its life has ended.
        """
        secret, until = _random(_SECRET_LENGTH), self._clock() + overlap
        with self._database.write() as connection:
            row = _row(connection, key_id)
            if row.revoked_at is not None:
                raise KeyRevoked
            query = KeyRow.update(
                digest=self._digest(secret),
                old_digest=row.digest,
                old_until=until,
                hook_generation=KeyRow.hook_generation + 1,
                hook_old_until=until,
            )
            query.where(KeyRow.id == key_id).execute(connection)
            key = self._key(_row(connection, key_id))
        failpoints.reach("key_rotated")
        return key, f"{_PREFIX}_{key_id}_{secret}"

    def verify(self, presented: str) -> Key:
        """Find the key that a caller presents, in the same time whether it is known or not.

        Raises:
            BadKey: it is no key, not known, wrong, expired or revoked; nobody may tell which.
        """
        match = _PRESENTED.fullmatch(presented)
        key_id, secret = match.groups() if match else ("", "")
        with self._database.read() as connection:
            rows = list(KeyRow.select().where(KeyRow.id == key_id).execute(connection))
        now, digest = self._clock(), self._digest(secret)
        row = rows[0] if rows else KeyRow(digest=self._digest(""), created_at=now)
        overlaps = row.old_until is not None and now < row.old_until
        same = hmac.compare_digest(row.digest, digest)
        same_old = hmac.compare_digest(str(row.old_digest if overlaps else row.digest), digest)
        if not rows or not (same or same_old) or not (key := self._key(row)).is_open(now):
            raise BadKey
        return key

    def note_use(self, key: Key) -> None:
        """Write down that a key was used, unless that was done within the last hour."""
        now = self._clock()
        if self.is_use_noted(key):
            return
        with self._database.write() as connection:
            KeyRow.update(used_at=now).where(KeyRow.id == key.id).execute(connection)

    def is_use_noted(self, key: Key) -> bool:
        """Say whether the last use on record is near enough, before or after, to now."""
        return key.used_at is not None and abs(self._clock() - key.used_at) < _USED_EVERY

    def hook_secrets(self, key_id: str) -> builtins.list[str]:
        """What callbacks to this key's URLs are signed with, as in Standard Webhooks: the current secret, then the one
        before it while a rotation overlaps. `OPERATOR` has one that never changes.

        Raises:
            UnknownKey: there is none.
        """
        if key_id == OPERATOR:
            return [self._hook_secret(OPERATOR, 1)]
        with self._database.read() as connection:
            row = _row(connection, key_id)
        overlaps = row.hook_old_until is not None and self._clock() < row.hook_old_until
        generations = [row.hook_generation, row.hook_generation - 1] if overlaps else [row.hook_generation]
        return [self._hook_secret(key_id, generation) for generation in generations]

    def _hook_secret(self, key_id: str, generation: int) -> str:
        raw = hmac.new(self._pepper, f"webhook:{key_id}:{generation}".encode(), hashlib.sha256).digest()
        return "whsec_" + base64.b64encode(raw).decode("ascii")

    def _digest(self, secret: str) -> str:
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).hexdigest()

    def _key(self, row: Any) -> Key:
        own = OwnLimits(row.per_minute, row.per_day, row.max_waiting)
        return Key(
            id=row.id,
            name=row.name,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
            scopes=frozenset(row.scopes),
            limits=own.over(self._limits),
            own_limits=own,
            expires_at=row.expires_at,
            used_at=row.used_at,
            old_until=row.old_until,
            tat_at=row.tat_at,
            day=row.day,
            day_count=row.day_count,
            publish=row.publish,
        )


def presented_id(presented: str) -> str:
    """The id in what a caller presents, be it good or not; empty where it has not the form of a key."""
    match = _PRESENTED.fullmatch(presented)
    return match[1] if match else ""


def load_pepper(path: Path) -> bytes:
    """Read the secret of this installation, making it (mode 0600) where there is none yet.

    Raises:
        SettingsError: it cannot be read or made, or is not one.
    """
    try:
        if not path.exists():
            _make_pepper(path)
        pepper = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as exc:
        raise SettingsError(f"The secret in {path} cannot be used: {exc}.") from exc
    if len(pepper) != _PEPPER_BYTES:
        raise SettingsError(f"The secret in {path} is not {_PEPPER_BYTES} bytes in hexadecimal.")
    return pepper


def _make_pepper(path: Path) -> None:
    """Write a new one, whole or not at all; where another process was faster, its one stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    draft = Path(name)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_PEPPER_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _row(connection: Any, key_id: str) -> Any:
    rows = list(KeyRow.select().where(KeyRow.id == key_id).execute(connection))
    if not rows:
        raise UnknownKey
    return rows[0]


def _terms(
    scopes: Collection[str], limits: OwnLimits, expires_at: datetime | None, publish: dict[str, Any] | None
) -> dict[str, Any]:
    """The columns of what a key may do."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ValueError(f"scopes are some of {', '.join(SCOPES)}")
    return {
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "per_minute": limits.per_minute,
        "per_day": limits.per_day,
        "max_waiting": limits.waiting,
        "expires_at": expires_at,
        "publish": publish,
    }
