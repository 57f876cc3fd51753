"""What can go wrong in the service. Knows nothing of HTTP: the web side has the one table of status codes.

VixError
 ├── UnknownJob         there is no such job, or it belongs to another key
 ├── JobNotReady        the film is asked for before it is finished; carries the job's status
 ├── JobGone            the job is known, its files are not kept any more
 ├── WrongState         the job is not in a state for what is asked; carries the job's status
 ├── RepeatMismatch     an Idempotency-Key comes again with another body
 ├── TooManyRequests    a limit is reached; carries its name and the seconds until it is worth trying again
 ├── BadKey             no key, or one that opens nothing
 ├── LinkExpired        a signed link whose time is over
 ├── MissingScope       a key that is good, but not for this
 ├── UnknownSchedule    there is no such schedule, or it belongs to another key
 ├── TooManySchedules   a key has as many as it may have
 ├── UnknownKey         an operator names a key that is not there
 ├── KeyRevoked         an operator wants to change a key whose life has ended
 ├── AdminRefused       not from this address, or from one that is not known
 ├── UrlRefused         a URL of somebody else's that is not called, now or later
 │    ├── BadUrl            it is no URL that can be called
 │    ├── ForbiddenAddress  it leads to an address that is not for the public; names the setting that allows it
 │    └── ForbiddenPort     it names a port that is not called
 ├── NoCallbacks        nobody was to be told about the job
 ├── BadName            a name that cannot be used
 ├── UnknownName        the library has nothing of that name
 ├── NotLookedAt        a file of the library that was never looked at, where nothing may be started to do so
 ├── PreviewImpossible  this film cannot be made, as drawing one picture of it has shown
 ├── PreviewBusy        as many pictures are being asked for as can wait
 ├── PreviewFailed      a picture could not be drawn now, which says nothing about the film
 ├── UnknownDelivery    there is no such delivery, or it belongs to another key
 ├── UnknownAccount     no account of that name or id is connected; says which are
 ├── AccountRefused     what was given to connect an account cannot be used; says why in one sentence
 │    └── LoginRefused      it comes back from no login that was begun here, by this browser, a moment ago
 ├── VaultLocked        a secret does not open with the keys that are there
 ├── StoreError         the database did not do what it was asked to; nothing of it was written
 │    ├── DatabaseBusy    somebody else holds it for too long; try again
 │    ├── DatabaseBroken  it cannot be read, opened or written
 │    │    └── DatabaseCorrupt  its file is damaged
 │    └── DiskFull        there is no space left to write to
 ├── BackupRefused      a file that cannot be restored, here or at all; says why
 ├── SettingsError      the settings contradict each other or reality
 ├── AlreadyRunning     another worker has this data folder
 └── NotYet             what is needed to start is not there yet, and may be in a moment
"""

from __future__ import annotations

import os


class VixError(Exception):
    """Base of all errors of this package. `code` is stable and public; `str()` of it is a sentence for a person."""

    code = "internal"
    message = "Something went wrong."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.message)


class UnknownJob(VixError):
    """There is no such job, or it belongs to another key: nobody may tell which."""

    code = "unknown_job"
    message = "There is no job with this id."


class JobNotReady(VixError):
    """The film is asked for before it is finished."""

    code = "job_not_ready"

    def __init__(self, status: str) -> None:
        self.status = str(status)
        super().__init__(f"The job has no film to give: its status is {self.status}.")


class JobGone(VixError):
    """The job is known, its files are not kept any more."""

    code = "job_gone"
    message = "The files of this job are not kept any more."


class WrongState(VixError):
    """The job, or what belongs to it, is not in a state for what is asked."""

    code = "wrong_state"

    def __init__(self, action: str, status: str, what: str = "job") -> None:
        self.status, self.what = str(status), what
        super().__init__(f"The {what} cannot be {action}: its status is {self.status}.")


class RepeatMismatch(VixError):
    """An Idempotency-Key comes again with another body."""

    code = "idempotency_mismatch"
    message = "This Idempotency-Key was used for another request within the last 24 hours; use a new one."


class TooManyRequests(VixError):
    """A limit is reached. `limit` is its short name, `retry_after_s` whole seconds, at least 1."""

    code = "too_many_requests"

    def __init__(self, limit: str, sentence: str, retry_after_s: int) -> None:
        self.limit = limit
        self.retry_after_s = max(1, retry_after_s)
        super().__init__(f"{sentence} Try again in {self.retry_after_s} s.")


class BadKey(VixError):
    """No key, or one that opens nothing."""

    code = "bad_key"
    message = "This API key is not known or was revoked."


class LinkExpired(VixError):
    """A signed link whose time is over."""

    code = "link_expired"
    message = "This link has expired; ask the job's status_url for a new one, or send a key in X-Api-Key."


class MissingScope(VixError):
    """A key that is good, but not for this."""

    code = "missing_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f'This key lacks the scope "{scope}"; name all that it is to have, this one among them, in '
            '"./vix keys change ID --scopes ...".'
        )


class UnknownSchedule(VixError):
    """There is no such schedule, or it belongs to another key: nobody may tell which."""

    code = "unknown_schedule"
    message = "There is no schedule with this id."


class TooManySchedules(VixError):
    """A key has as many schedules as it may have."""

    code = "too_many_schedules"

    def __init__(self, most: int) -> None:
        super().__init__(f"This key has {most} schedules, which is as many as it may have; remove one.")


class UnknownKey(VixError):
    """An operator names a key that is not there."""

    code = "unknown_key"
    message = "There is no key with this id."


class KeyRevoked(VixError):
    """An operator wants to change a key whose life has ended."""

    code = "key_revoked"
    message = "This key is revoked, for good; make a new one."


class AdminRefused(VixError):
    """Not from this address, or from one that is not known."""

    code = "admin_refused"
    message = "Admin calls are not taken from this address; VIX_ADMIN_ALLOW lists those that may."


class UrlRefused(VixError):
    """A URL of somebody else's that is not called, now or later."""

    permanent = True


class BadUrl(UrlRefused):
    """It is no URL that can be called."""

    code = "bad_url"


class ForbiddenAddress(UrlRefused):
    """It leads to an address that is not for the public."""

    code = "forbidden_address"

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"{host} leads to a private or reserved address or to this machine, which Vix does not call; if it is "
            f"yours, add {host} to VIX_PRIVATE_HOSTS."
        )


class ForbiddenPort(UrlRefused):
    """It names a port that is not called."""

    code = "forbidden_port"

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} is not called: use 80, 443 or one from 1024 up, or add the host to VIX_PRIVATE_HOSTS, "
            "whose ports are all allowed."
        )


class NoCallbacks(VixError):
    """Nobody was to be told about the job."""

    code = "no_callbacks"
    message = "There is nothing to deliver: the job has not ended, or it came without a callback_url."


class BadName(VixError):
    """A name that cannot be used."""

    code = "bad_name"
    message = "A name is 1 to 100 printable characters."


class UnknownName(VixError):
    """The library has nothing of that name. The message says what is near."""

    code = "unknown_name"
    message = "The library has nothing of this name."


class NotLookedAt(VixError):
    """A file of the library was never looked at, and nothing may be started to do so here."""

    code = "not_looked_at"

    def __init__(self, name: str) -> None:
        super().__init__(f'"{name}" was not looked at yet; it will be for the first film, or by ./vix library scan.')


class PreviewImpossible(VixError):
    """This film cannot be made. `code` is that of what a render would end with."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(f"This film cannot be made: {sentence}")


class PreviewBusy(VixError):
    """As many pictures are being asked for as can wait."""

    code = "preview_busy"
    message = "Other previews are being drawn. Try again in a second."


class PreviewFailed(VixError):
    """A picture could not be drawn now, which says nothing about the film."""

    code = "preview_failed"
    message = "The preview could not be drawn. Try again; if that does not help, make it smaller or shorter."


class UnknownDelivery(VixError):
    """There is no such delivery, or it belongs to another key: nobody may tell which."""

    code = "unknown_delivery"
    message = "There is no delivery with this id."


class UnknownAccount(VixError):
    """No account of that name or id is connected."""

    code = "unknown_account"
    message = "There is no such account."


class AccountRefused(VixError):
    """What was given to connect an account cannot be used. The message says why and what to do."""

    code = "account_refused"
    message = "The account could not be connected."


class LoginRefused(AccountRefused):
    """What comes back from a login is not what was begun here, by this browser, a moment ago."""

    code = "login_refused"
    message = "This login was not begun here, or by another browser; begin it again."


class VaultLocked(VixError):
    """A secret does not open with the keys that are there."""

    code = "vault_locked"
    message = (
        "A secret cannot be decrypted: the vault's key is not the one that it was encrypted with. Put the right one "
        "into VIX_VAULT_KEY or the key file, or connect the account again."
    )


class StoreError(VixError):
    """The database did not do what it was asked to; nothing of it was written."""

    code = "database_error"
    message = "The database failed."


class DatabaseBusy(StoreError):
    """Somebody else holds the database for too long."""

    code = "database_busy"
    message = "The database is busy. Try again in a moment."


class DatabaseBroken(StoreError):
    """The database cannot be read, opened or written."""

    code = "database_broken"
    message = "The database cannot be used. The log says why."


class DatabaseCorrupt(DatabaseBroken):
    """The file of the database is damaged: starting again is no use. `exit_code` is what the process ends with."""

    message = "The database is damaged; a backup has to be put in its place."
    exit_code = os.EX_CONFIG


class DiskFull(StoreError):
    """There is no space left to write to."""

    code = "disk_full"
    message = "The disk is full. Free some space and try again."


class BackupRefused(VixError):
    """A file that cannot be restored, here or at all."""

    code = "backup_refused"
    message = "This backup cannot be restored."


class SettingsError(VixError):
    """The settings contradict each other or reality."""

    code = "bad_settings"
    message = "The settings cannot be used."


class AlreadyRunning(VixError):
    """Another worker has this data folder. `exit_code` is what the process ends with."""

    code = "already_running"
    message = "Another worker is running in this data folder."
    exit_code = 3


class NotYet(VixError):
    """What is needed to start is not there yet, and may be in a moment. `exit_code` is what the process ends with."""

    code = "not_yet"
    message = "Something is not there yet. Try again in a moment."
    exit_code = 1
