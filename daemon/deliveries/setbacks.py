"""Why publishing does not get on, by what is to be done about it. Pure; knows no far side.

DeliveryError
 ├── Passing     it may go by itself; nothing was published
 ├── Throttled   the far side wants to be left alone for a while; nothing was published
 ├── NeedsHuman  the account cannot be used until somebody has put that right; nothing was published
 ├── Refused     this film will not be taken, now or later; nothing was published
 └── Unclear     there was no answer, or none that can be understood: it may have happened
"""

from __future__ import annotations

from daemon.errors import VixError


class DeliveryError(VixError):
    """Base of all of them. `code` is stable; `str()` of it is a sentence without secrets."""

    code = "not_published"
    message = "It could not be published."

    def __init__(self, message: str = "", code: str = "") -> None:
        self.code = code or self.code
        super().__init__(message)


class Passing(DeliveryError):
    """It may go by itself. `most_tries` bounds how often it is worth trying; 0 is the usual number."""

    def __init__(self, message: str = "", code: str = "", most_tries: int = 0) -> None:
        self.most_tries = most_tries
        super().__init__(message, code)


class Throttled(DeliveryError):
    """The far side wants to be left alone. `wait_s` is for how long; `account`: with everything of this account, and
    not only with this film; `is_block`: an operator should know, as it may not go by itself."""

    def __init__(
        self, message: str = "", code: str = "", wait_s: float = 900.0, account: bool = True, is_block: bool = False
    ) -> None:
        self.wait_s = wait_s
        self.account = account
        self.is_block = is_block
        super().__init__(message, code)


class NeedsHuman(DeliveryError):
    """The account cannot be used until somebody has put that right."""


class Refused(DeliveryError):
    """This film will not be taken, now or later."""


class Unclear(DeliveryError):
    """There was no answer, or none that can be understood."""

    code = "no_answer"
    message = "There was no answer that can be understood."
