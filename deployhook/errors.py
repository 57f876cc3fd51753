"""What can go wrong with a call or with the settings. Knows nothing of HTTP.

HookError
 ├── SettingsError     the service cannot start as it is set up
 ├── NotSigned         no signature, or one that was not made with our secret
 ├── NotReadable       the bytes are not what GitHub sends
 ├── WrongContentType  a header says that the bytes are something else
 ├── BodyTooLarge      more bytes than GitHub ever sends
 ├── BodyTooSlow       the bytes did not arrive in time
 ├── TooBusy           the bodies that are being read at once take too much memory
 ├── NotAllowed        the status is not for this caller
 ├── StateUnwritable   the request for a deploy cannot be written down
 └── RemoteSilent      the repository could not be asked
"""

from __future__ import annotations


class HookError(Exception):
    """The root. The text of each is a whole sentence that says what to do, and holds no secret."""

    code = "bad_request"


class SettingsError(HookError):
    """Something is set wrongly or not at all."""


class NotSigned(HookError):
    """The signature is missing or wrong."""

    code = "bad_signature"


class NotReadable(HookError):
    """The call is not one of GitHub's."""

    code = "not_readable"


class WrongContentType(HookError):
    """The body has a type that is not read here."""

    code = "wrong_content_type"


class BodyTooLarge(HookError):
    """The body is too large."""

    code = "body_too_large"


class BodyTooSlow(HookError):
    """The body did not arrive in time."""

    code = "body_too_slow"


class TooBusy(HookError):
    """There is no room for another body now."""

    code = "too_busy"


class NotAllowed(HookError):
    """The caller may not see it."""

    code = "not_allowed"


class StateUnwritable(HookError):
    """The folder of deploys cannot be written."""

    code = "state_unwritable"


class RemoteSilent(HookError):
    """The remote repository did not say what its branch points to."""

    code = "remote_silent"
