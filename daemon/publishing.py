"""From the `publish` of a request to the deliveries that it asks for. Knows which accounts are connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from daemon.accounts.life import Account
from daemon.deliveries.life import NewDelivery
from daemon.store.tables import utc_now
from render.errors import FieldProblem, SpecError
from render.problems import did_you_mean, problems
from render.publication import FacebookPost, Publish
from render.request import variables_of

_LONGEST_AHEAD = timedelta(days=366)
_LATE = timedelta(days=1)
_FACEBOOK_SOONEST, _FACEBOOK_LATEST = timedelta(minutes=20), timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Publishing:
    """What a request's `publish` is read with. `accounts` lists those that are connected, `usual` gives what a key
    publishes unless a request says otherwise, as JSON."""

    accounts: Callable[[], Sequence[Account]]
    usual: Callable[[str], Mapping[str, Any] | None]
    clock: Callable[[], datetime] = utc_now

    def deliveries(self, asked: Publish | None, data: object, key_id: str) -> tuple[NewDelivery, ...]:
        """Say where a film goes: `asked` is what the request says, None where it says nothing; `data` is its JSON.

        Raises:
            SpecError: an account is not connected, or a time is none that can be kept.
        """
        publish = asked if asked is not None else self._usual(data, key_id)
        return self.read(publish) if publish is not None else ()

    def read(self, publish: Publish) -> tuple[NewDelivery, ...]:
        """Find the accounts of what is to be published.

        Raises:
            SpecError: as `deliveries`.
        """
        posts = publish.posts
        accounts = self.accounts() if posts else ()
        wrong: list[FieldProblem] = []
        found: list[NewDelivery] = []
        for target, several in posts.items():
            is_list = isinstance(getattr(publish, target), list)
            for number, post in enumerate(several):
                field = f"publish.{target}" + (f"[{number}]" if is_list else "")
                account, problem = _account(post.page, [one for one in accounts if one.kind == target], target)
                if account is None:
                    wrong.append(FieldProblem(f"{field}.page", problem, "null" if post.page is None else "string"))
                elif problem := _time_problem(post, self.clock()):
                    wrong.append(FieldProblem(f"{field}.at", problem, "string"))
                else:
                    # What Facebook itself is to wait with goes there at once.
                    at = None if post.scheduled_by == "facebook" else post.at
                    found.append(NewDelivery(target, account.id, post.model_dump(mode="json"), at))
        if wrong:
            raise SpecError(wrong)
        return tuple(found)

    def _usual(self, data: object, key_id: str) -> Publish | None:
        usual = self.usual(key_id)
        return parse_publish(usual, variables_of(data)) if usual else None


def parse_publish(data: object, variables: Mapping[str, str] | None = None) -> Publish:
    """Read a `publish` that stands alone. Without `variables`, texts stay as they are.

    Raises:
        SpecError: with every wrong field; its path begins with `publish`.
    """
    try:
        return Publish.model_validate(data, context={"variables": variables})
    except ValidationError as exc:
        found = problems(exc, Publish)
    raise SpecError([FieldProblem(_below_publish(one.field), one.message, one.value_type) for one in found])


def _below_publish(field: str) -> str:
    return "publish" if field == "(body)" else f"publish.{field}"


def _account(name: str | None, accounts: Sequence[Account], kind: str) -> tuple[Account | None, str]:
    """The account that a name or id means, or a sentence about why there is none."""
    if not accounts:
        return None, f"cannot be published on: no account is connected; ./vix accounts add {kind} connects one"
    if name is None:
        names = " or ".join(f'"{one.name}"' for one in accounts)
        return (accounts[0], "") if len(accounts) == 1 else (None, f"must say which page is meant: {names}")
    folded = name.casefold()
    found = [one for one in accounts if name in (one.id, one.remote_id)]
    found = found or [one for one in accounts if one.name.casefold() == folded]
    if len(found) > 1:
        return None, "is the name of several pages; write the id of the one that is meant"
    if found:
        return found[0], ""
    return None, f"is no page that is connected.{did_you_mean(name, [one.name for one in accounts])}"


def _time_problem(post: FacebookPost, now: datetime) -> str:
    """A sentence where a time cannot be kept. One that has just passed is as good as now: a queue may be long."""
    if post.at is None:
        return "is needed where Facebook is to wait for it" if post.scheduled_by == "facebook" else ""
    if post.at < now - _LATE:
        return "lies in the past; leave it away to publish as soon as the film is finished"
    if post.at > now + _LONGEST_AHEAD:
        return "is more than a year ahead"
    if post.scheduled_by == "facebook" and not now + _FACEBOOK_SOONEST <= post.at <= now + _FACEBOOK_LATEST:
        return 'must be 20 minutes to 28 days ahead for Facebook; "scheduled_by": "vix" takes any time'
    return ""
