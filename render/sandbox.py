"""How children are started: tied to this process's life, and confined to what their work needs.

No code of ours runs between fork and exec, for this process has threads. What a child inherits from a thread (Landlock,
no new privileges, niceness, input/output class) is set on a thread that starts it; limits are set from outside.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import shutil
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from render import landlock

MIB = 2**20
_OPEN_FILES = 64
_OOM_SCORE = 800

_PR_SET_PDEATHSIG = 1
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}
_IOPRIO_WHO_PROCESS = 1
_IOPRIO_IDLE = 3 << 13

# Belongs to the distribution and holds nothing private: programs, libraries, their data.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
# What the C library, OpenBLAS and OpenCV ask about the machine.
_FACTS = (
    *("/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/zero", "/dev/random", "/dev/urandom"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm/overcommit_memory", "/sys/devices/system", "/sys/fs/cgroup"),
)
# All that a child is told. glibc reserves up to 128 MB of address space for each thread if it may; two such arenas cost
# no CPU time and make the limit on address space mean something. OpenBLAS, which nothing uses, would take some for
# every core.
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_libc = ctypes.CDLL(None, use_errno=True)
_Stream = int | IO[bytes] | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one process: bytes of address space, bytes of each file that it writes, CPU seconds."""

    memory_bytes: int = 2_048 * MIB
    file_bytes: int = 256 * MIB
    cpu_s: int = 900


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a child may do: run programs in `runs`, read what is in `reads`, write into the folders `writes`.

    The system's programs and libraries may be run and read besides. `niceness` is added to its priority value; with
    any, its disk accesses give way to all others, too.
    """

    runs: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    niceness: int = 0

    def enter(self) -> None:
        """Confine the calling thread, and whatever it starts from then on, for good.

        Raises:
            OSError: the kernel has Landlock and refuses.
        """
        with suppress(OSError):  # a hardened service may refuse to set priorities, and has set its own
            os.nice(self.niceness)  # of this thread alone, as all below
        if self.niceness and (number := _IOPRIO_SET.get(platform.machine())):
            _libc.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)
        landlock.forbid_new_privileges()
        if landlock.abi():
            landlock.confine(self._grants())

    def _grants(self) -> dict[Path, int]:
        # Listing, not reading: Popen looks up which files a child has to close.
        grants = {Path("/proc"): landlock.LIST, Path("/dev/null"): landlock.WRITE}
        for access, paths in (
            (landlock.READ, (*map(Path, _FACTS), *self.reads)),
            (landlock.RUN, (*map(Path, _SYSTEM), *self.runs)),
            (landlock.WRITE, self.writes),
        ):
            for path in paths:
                grants[path] = grants.get(path, 0) | access
        return grants


class Child(subprocess.Popen[bytes]):
    """A process with a session of its own, whose whole group is killed with SIGKILL when this process dies.

    Two ways lead there. setpriv(1) arms the kernel's parent-death signal before the program begins; it counts from the
    thread that starts the child, which has to live as long. And the child inherits the reading end of a pipe that sends
    SIGKILL to its group (F_SETSIG in fcntl(2)) when the writing end closes, because this process died or let go:
    that reaches grandchildren as well, and works where there is no setpriv.
    """

    def __init__(self, command: Sequence[str | Path], *, pass_fds: Sequence[int] = (), **options: Any) -> None:
        tied = [_setpriv(), "--pdeathsig", "KILL", "--"] if _setpriv() else []
        self.ended = threading.Event()
        leash, hand = os.pipe()
        self._let_go = weakref.finalize(self, _let_go, hand, self.ended)
        try:
            super().__init__([*tied, *command], pass_fds=(*pass_fds, leash), start_new_session=True, **options)
            fcntl.fcntl(leash, fcntl.F_SETOWN, -self.pid)
            fcntl.fcntl(leash, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(leash, fcntl.F_SETFL, os.O_ASYNC)
        except BaseException:
            self._let_go()
            raise
        finally:
            os.close(leash)

    def end(self) -> None:
        """Kill what is left of the whole group, wait for the child and close its pipes."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()
        self._let_go()
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # unwritten input of a process that is gone
                    pipe.close()


def start(
    command: Sequence[str],
    sandbox: Sandbox,
    limits: Limits,
    *,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    stdin: _Stream = subprocess.DEVNULL,
) -> Child:
    """Start a program, named by its absolute path, in a sandbox; its output is piped. `Child.end` has to be called.

    Raises:
        OSError: it cannot be started.
    """
    # Checked here, since setpriv would only write about it.
    if not os.access(command[0], os.X_OK):
        os.stat(command[0])
        raise PermissionError(13, os.strerror(13), command[0])

    def confined() -> Child:
        # Named through this thread, the program cannot be found any more once the thread has died. So a child whose
        # parent dies before the death signal is armed ends there, instead of running on with nobody to end it.
        program = f"/proc/{threading.get_native_id()}/root{command[0]}" if _setpriv() else command[0]
        sandbox.enter()
        return Child(
            [program, *command[1:]],
            pass_fds=pass_fds,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    started = on_a_thread(confined)
    try:
        limit(started, limits)
    except BaseException:
        started.end()
        raise
    return started


def on_a_thread(make: Callable[[], Child]) -> Child:
    """Have a child made by a thread that lives as long as the child does: whoever asks may be gone sooner."""
    answer: SimpleQueue[Child | BaseException] = SimpleQueue()

    def starter() -> None:
        try:
            child = make()
        except BaseException as exc:
            answer.put(exc)
            return
        ended = child.ended
        answer.put(child)
        del child  # else this thread would keep what it waits for
        ended.wait()

    threading.Thread(target=starter, name="starter", daemon=True).start()
    started = answer.get()
    if isinstance(started, BaseException):
        raise started
    return started


def limit(child: subprocess.Popen[bytes], limits: Limits) -> None:
    """Set a child's limits from outside, and make it the first to go where the machine's memory runs out."""
    wanted = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    with suppress(ProcessLookupError):
        for kind, value in wanted.items():
            _, most = resource.prlimit(child.pid, kind)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.prlimit(child.pid, kind, (least, least))
    # Refused to a confined process, whose children have inherited the score anyway.
    with suppress(OSError):
        Path(f"/proc/{child.pid}/oom_score_adj").write_text(str(_OOM_SCORE))


def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when `parent` dies; false where it has died already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def sandbox_report() -> dict[str, Any]:
    """What confines FFmpeg on this machine.

    `landlock` is the version of the kernel's Landlock (0: none, so it may read and write what this user may), `tcp`
    whether it is refused TCP, `limits` whether memory, files, CPU and open files are bounded, `death_signal` whether
    setpriv(1) arms it before FFmpeg begins, `idle_io` whether its disk accesses give way to all others.
    """
    return {
        "landlock": landlock.abi(),
        "tcp": landlock.abi() >= 4,
        "limits": True,
        "death_signal": bool(_setpriv()),
        "idle_io": platform.machine() in _IOPRIO_SET,
    }


def _let_go(hand: int, ended: threading.Event) -> None:
    os.close(hand)
    ended.set()


@cache
def _setpriv() -> str:
    """The path of util-linux' setpriv; busybox' one knows no death signal."""
    found = shutil.which("setpriv", path=os.defpath) or ""
    return "" if os.path.basename(os.path.realpath(found)) == "busybox" else found
