"""Stands at the doors: lets a call in with what it may do, or raises. Knows keys, links and addresses, no resource."""

from __future__ import annotations

from dataclasses import replace

from daemon.errors import AdminRefused, BadKey, StoreError
from daemon.store.keys import Key, presented_id
from daemon.web.access import AccessRules, has_key, presented_key, presented_master_key
from daemon.web.call import Call
from daemon.web.throttle import Throttle

TOO_MANY = 429
REFUSALS = (401, 403)


class Guard:
    """One for an application. `throttle` remembers who has failed."""

    def __init__(self, rules: AccessRules, throttle: Throttle) -> None:
        self._rules = rules
        self._throttle = throttle
        self._noting: set[str] = set()

    async def key(self, call: Call) -> Key:
        """Find the key that a call comes with.

        Raises:
            BadKey: it opens nothing.
            TooManyRequests: too many wrong ones came from there.
        """
        presented = presented_key(call.request.headers)
        async with self._throttle.attempt(_blamed(call, presented), presented):
            return await call.blocking(call.services.keys.verify, presented)

    def is_by_link(self, call: Call) -> bool:
        """Say whether a call comes with a signed link and no key."""
        return "signature" in call.request.query_params and not has_key(call.request.headers)

    async def link(self, call: Call) -> Call:
        """Let a call in by a signed link to the `name` in its path.

        Raises:
            BadKey, LinkExpired: it was not signed here, or is over.
            TooManyRequests: too many wrong ones came from there.
        """
        expires, signature = (call.request.query_params.get(name, "") for name in ("expires", "signature"))
        name = call.request.path_params["name"]
        try:
            call.services.signer.check(name, expires, signature, call.services.now())
        except BadKey:
            self._throttle.check(_blamed(call))
            self._throttle.failed(_blamed(call))
            raise
        return replace(call, by_link=True)

    async def master(self, call: Call) -> None:
        """Let an admin call in.

        Raises:
            AdminRefused: it is not from a listed address; the key was not looked at.
            BadKey: the master key is missing or wrong.
            TooManyRequests: too many wrong ones came from there.
        """
        if not call.client.is_in(self._rules.admin_allow):
            raise AdminRefused
        presented = presented_master_key(call.request.headers)
        async with self._throttle.attempt(call.client.group, presented):
            if not self._rules.is_master(presented):
                raise BadKey("This is not the master key; it is the value of VIX_MASTER_KEY.")

    async def listed(self, call: Call) -> None:
        """Let a call in that comes from a listed address and brings no key.

        Raises:
            AdminRefused: it comes from elsewhere.
            TooManyRequests: too much that was wrong came from there.
        """
        if not call.client.is_in(self._rules.admin_allow):
            raise AdminRefused
        self._throttle.check(call.client.group)

    def returned(self, call: Call, status: int) -> None:
        """Count what such a call has brought and was refused for like a wrong key."""
        if status in REFUSALS:
            self._throttle.failed(call.client.group)

    def is_worth_a_row(self, call: Call, status: int) -> bool:
        """Say whether an admin call goes into the audit log: all do, but refused ones not without end, as a stranger
        must not be able to fill the database."""
        if status == TOO_MANY:
            return False
        return status not in REFUSALS or self._throttle.is_news(call.client.group)

    async def note_use(self, call: Call, key: Key) -> None:
        """Write down when a key was used. Not worth an error, nor a second thread that waits for the database."""
        if key.id in self._noting:
            return
        self._noting.add(key.id)
        try:
            await call.blocking(call.services.keys.note_use, key)
        except StoreError:
            pass
        finally:
            self._noting.discard(key.id)


def _blamed(call: Call, presented: str = "") -> str:
    """Who a wrong key is a failure of. Behind a proxy that nobody has named all seem to be one, and the wrong key of
    one must not keep the others out: there, only the key's own id is."""
    return call.client.group if call.client.certain else f"{call.client.group} {presented_id(presented)}"
