"""What can go wrong in the service. Knows nothing of HTTP: the web side has the one table of status codes.

VixError
 ├── UnknownJob         there is no such job, or it belongs to another key
 ├── JobNotReady        the film is asked for before it is finished; carries the job's status
 ├── JobGone            the job is known, its files are not kept any more
 ├── BadKey             no key, or one that opens nothing
 ├── BadName            a name that cannot be used
 ├── UnknownName        the library has nothing of that name
 ├── StoreError         the database did not do what it was asked to; nothing of it was written
 │    ├── DatabaseBusy    somebody else holds it for too long; try again
 │    ├── DatabaseBroken  it cannot be read, opened or written
 │    └── DiskFull        there is no space left to write to
 ├── SettingsError      the settings contradict each other or reality
 └── AlreadyRunning     another worker has this data folder
"""

from __future__ import annotations


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


class BadKey(VixError):
    """No key, or one that opens nothing."""

    code = "bad_key"
    message = "This API key is not known or was revoked."


class BadName(VixError):
    """A name that cannot be used."""

    code = "bad_name"
    message = "A name is 1 to 100 printable characters."


class UnknownName(VixError):
    """The library has nothing of that name. The message says what is near."""

    code = "unknown_name"
    message = "The library has nothing of this name."


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


class DiskFull(StoreError):
    """There is no space left to write to."""

    code = "disk_full"
    message = "The disk is full. Free some space and try again."


class SettingsError(VixError):
    """The settings contradict each other or reality."""

    code = "bad_settings"
    message = "The settings cannot be used."


class AlreadyRunning(VixError):
    """Another worker has this data folder. `exit_code` is what the process ends with."""

    code = "already_running"
    message = "Another worker is running in this data folder."
    exit_code = 3
