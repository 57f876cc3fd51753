"""Becomes a program under what a unit file refuses it: system calls, kinds of sockets, running memory that was written,
open files. A program of its own; what it is told stands in its argument, as JSON."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import sys
from dataclasses import asdict, dataclass

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM = 1
_EQUAL = 4
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 38, 65, 1


class _Argument(ctypes.Structure):
    """`struct scmp_arg_cmp` of libseccomp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is refused. `calls` are the system calls that are allowed, all where there are none; `families` likewise."""

    calls: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    no_new_privileges: bool = False
    memory_deny_write_execute: bool = False
    open_files: int = 0

    def command(self, arguments: list[str]) -> list[str]:
        """The command that runs another one confined."""
        return [sys.executable, "-I", __file__, json.dumps(asdict(self)), *arguments]


def confine(told: Confinement) -> None:
    """Confine this process and all that come of it.

    Raises:
        OSError: the kernel or libseccomp does not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if told.open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (told.open_files, told.open_files))
    if told.no_new_privileges:
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if told.memory_deny_write_execute:  # Linux 6.3; systemd does the same by its filter of calls
        libc.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    if told.calls:
        _filter(told)


def _filter(told: Confinement) -> None:
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(_ERRNO | _EPERM)))
    for name in told.calls:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and not (name == "socket" and told.families):
            lib.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0)
    for family in told.families:
        only = _Argument(0, _EQUAL, int(getattr(socket, family)), 0)
        number = lib.seccomp_syscall_resolve_name(b"socket")
        _check(lib.seccomp_rule_add_array(context, ctypes.c_uint32(_ALLOW), number, 1, ctypes.byref(only)))
    _check(lib.seccomp_load(context))


def _check(result: int) -> None:
    if result:
        raise OSError(-result if result < -1 else ctypes.get_errno(), "the kernel does not confine")


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    confine(Confinement(**wanted))
    os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
