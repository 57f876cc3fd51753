"""Landlock: what a thread, and whatever it starts from then on, may still do with files and TCP.

Needs Linux 5.13 and no rights. Source: landlock(7) and linux/landlock.h. Knows nothing of FFmpeg.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# Numbers of system calls that are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG, _TRUNCATE, _IOCTL_DEV = 1 << 5, 1 << 8, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BIND_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS = 1

LIST = _READ_DIR
READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
WRITE = READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)


@cache
def abi() -> int:
    """The version of the kernel's Landlock; 0 where it has none. TCP can be refused from version 4."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def forbid_new_privileges() -> None:
    """Make set-user-ID programs ordinary ones, for the calling thread and what it starts."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def confine(grants: Mapping[Path, int]) -> None:
    """Refuse the calling thread all files but those in `grants`, and all TCP. It cannot be undone.

    A grant is `LIST`, `READ`, `RUN` or `WRITE`, and for a folder holds for all in it. What does not exist is left out.
    Only where `abi()` is not 0, and after `forbid_new_privileges`.

    Raises:
        OSError: the kernel refuses; nothing is confined then.
    """
    handled = _handled(abi())
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0))
    try:
        (known,) = struct.unpack_from("=Q", handled)
        for path, access in grants.items():
            _grant(ruleset, path, access & known)
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _handled(version: int) -> bytes:
    """`struct landlock_ruleset_attr`: every right that this version knows, as far as it knows the structure."""
    rights = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    network = [_BIND_AND_CONNECT_TCP] if version >= 4 else []
    scopes = [_ABSTRACT_SOCKETS] if version >= 6 else []
    words = [(1 << rights) - 1, *network, *scopes]
    return struct.pack(f"={len(words)}Q", *words)


def _grant(ruleset: int, path: Path, access: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            access &= _OF_FILES
        if access:
            _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, beneath), 0))
    finally:
        os.close(beneath)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
