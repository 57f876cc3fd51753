"""The shapes of what `/admin/accounts` reads and answers. Nothing is computed here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from daemon.accounts.life import AccountState
from daemon.web.models import Shape, Url
from render.strict import Strict

_APP_ID = "^[0-9]*$"
_NO_SPACES = "^[!-~]*$"
AppId = Annotated[str, Field(max_length=40, pattern=_APP_ID)]
AppSecret = Annotated[str, Field(max_length=200, pattern=_NO_SPACES)]


class NewAccount(Strict):
    """A token, and the app that it was granted to."""

    kind: Literal["facebook"] = "facebook"
    token: Annotated[str, Field(min_length=1, max_length=4_000, pattern=_NO_SPACES)] = Field(
        description="A user's, a system user's or a page's. A user's is exchanged for one that lasts."
    )
    app_id: AppId = Field("", description="Needed for a user's token.")
    app_secret: AppSecret = Field("", description="Needed for a user's token.")
    pages: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] | None = Field(
        None, description="Names or ids; null is all that the token may publish on."
    )


class Login(Strict):
    """The app that somebody logs in to."""

    app_id: Annotated[AppId, Field(min_length=1)]
    app_secret: Annotated[AppSecret, Field(min_length=1)]


class AccountShape(Shape):
    """A page that films are published on, without its token."""

    id: Annotated[str, Field(pattern="^acc_[a-z0-9]{12,40}$")]
    kind: str
    remote_id: str = Field(description="What the far side calls it.")
    name: str
    state: AccountState = Field(description="`dead`: what is to be published on it is held.")
    problem: str = Field(description="Why it cannot be used; empty where it can.")
    warning: str = Field(description="What will come if nobody acts; empty where nothing will soon.")
    days_left: float | None = Field(description="Until something ends; 0 where it has, null where nothing does.")
    expires_at: AwareDatetime | None = Field(description="The end of its token; null: it has none.")
    data_until: AwareDatetime | None = Field(description="The end of its access to data.")
    scopes: list[str]
    checked_at: AwareDatetime | None
    connected_at: AwareDatetime


class Accounts(Shape):
    """Accounts, by name."""

    items: list[AccountShape]
    next: None


class Connected(Shape):
    """The accounts that were connected."""

    items: list[AccountShape]


class LookedAt(AccountShape):
    """An account after a look at its token."""

    not_looked_at: str | None = Field(description="Why nothing could be learnt, and all is as it was; null: it could.")


class LoginBegun(Shape):
    """Where the browser is to go."""

    login_url: Url
    redirect_url: Url = Field(description="Where it comes back to; the app has to allow that.")
