"""The doors of accounts with what the documentation says of them. Without a master key none of them is there."""

from __future__ import annotations

from daemon.errors import AccountRefused, SettingsError, UnknownAccount
from daemon.web import account_models, accounts, accounts_page, login
from daemon.web.access import ADMIN, ADMIN_PAGE, ADMIN_RETURN
from daemon.web.door import Door, Manual, Parameter, Reply
from render.errors import SpecError

_AT = "2026-11-21T09:00:00.000+00:00"
_ACCOUNT = {
    "id": "acc_815ad67d0555e795",
    "kind": "facebook",
    "remote_id": "900000000001",
    "name": "My Page",
    "state": "ok",
    "problem": "",
    "warning": "",
    "days_left": 89.9,
    "expires_at": None,
    "data_until": "2027-02-19T08:12:00.000+00:00",
    "scopes": ["pages_show_list", "pages_read_engagement", "pages_manage_posts"],
    "checked_at": _AT,
    "connected_at": _AT,
}
_ACCOUNT_ID = Parameter(
    "account_id", "path", "The account.", {"type": "string", "pattern": "^acc_[a-z0-9]{12,40}$"}, _ACCOUNT["id"]
)
_APP = {"app_id": "1234567890", "app_secret": "0123456789abcdef0123456789abcdef"}
_HTML = ("text/html",)
_BASE = "https://films.example.org"

_LIST = Manual(
    "Accounts",
    "The pages that films are published on, by name, with how their tokens are. No answer holds a token.",
    {200: Reply("All of them.", account_models.Accounts, {"items": [_ACCOUNT], "next": None})},
    errors=(SpecError,),
)
_CONNECT = Manual(
    "Accounts",
    "Connect pages by a token, or give them a new one; what was held for them goes out. Refused in one sentence that "
    "says what is wrong with the token.",
    {201: Reply("They are connected.", account_models.Connected, {"items": [_ACCOUNT]})},
    body=account_models.NewAccount,
    body_example={"kind": "facebook", "token": "EAAB...", **_APP, "pages": ["My Page"]},
    errors=(AccountRefused, SettingsError),
)
_TEST = Manual(
    "Accounts",
    "Look at an account's token now.",
    {200: Reply("What is known of it.", account_models.LookedAt, _ACCOUNT | {"not_looked_at": None})},
    parameters=(_ACCOUNT_ID,),
    errors=(UnknownAccount, SettingsError),
)
_REMOVE = Manual(
    "Accounts",
    "Disconnect an account and forget its token. What is to be published on it is held until it is connected again.",
    {204: Reply("It is disconnected; once more is no error.")},
    parameters=(_ACCOUNT_ID,),
    errors=(UnknownAccount,),
)
_BEGIN = Manual(
    "Accounts",
    "Begin to connect pages by logging in to Facebook: send the browser that has asked to `login_url`.",
    {
        200: Reply(
            "Where to go, for a quarter of an hour.",
            account_models.LoginBegun,
            {"login_url": "https://www.facebook.com/v26.0/dialog/oauth?...", "redirect_url": f"{_BASE}{login.PATH}"},
            headers={"Set-Cookie": "What the browser has to come back with."},
        )
    },
    body=account_models.Login,
    body_example=_APP,
    errors=(SettingsError,),
)
_END = Manual(
    "Accounts",
    "Where Facebook sends the browser back to. No key is needed, but an address that VIX_ADMIN_ALLOW lists, a state "
    "that was begun here, and the cookie of the browser that did.",
    {
        200: Reply("A page that names what was connected.", media_types=_HTML),
        401: Reply("A page: it is no login that was begun here, by this browser, a moment ago.", media_types=_HTML),
        422: Reply("A page: Facebook, or the person there, has said no.", media_types=_HTML),
        503: Reply("A page: it could not be kept now.", media_types=_HTML),
        507: Reply("A page: the disk is full.", media_types=_HTML),
    },
    parameters=(
        Parameter("state", "query", "As it was sent to Facebook.", {"type": "string"}, "aBcDeF"),
        Parameter("code", "query", "Facebook's, good once.", {"type": "string"}, "AQD..."),
        Parameter("error", "query", "In the place of these, where it came to nothing.", {"type": "string"}, "denied"),
    ),
)
_PAGE = Manual(
    "Accounts",
    "A page on which an operator connects, tests and disconnects accounts. It has no data and asks for the master key.",
    {200: Reply("A page.", media_types=_HTML)},
)

ACCOUNT_DOORS = (
    Door("GET", "/admin/accounts", accounts.admin_accounts, ADMIN, _LIST),
    Door("POST", "/admin/accounts", accounts.admin_connect_account, ADMIN, _CONNECT),
    Door("POST", "/admin/accounts/{account_id}/test", accounts.admin_test_account, ADMIN, _TEST),
    Door("DELETE", "/admin/accounts/{account_id}", accounts.admin_remove_account, ADMIN, _REMOVE),
    Door("POST", login.PATH, login.admin_begin_login, ADMIN, _BEGIN),
    Door("GET", login.PATH, login.admin_end_login, ADMIN_RETURN, _END),
    Door("GET", "/accounts", accounts_page.accounts_page, ADMIN_PAGE, _PAGE),
)
