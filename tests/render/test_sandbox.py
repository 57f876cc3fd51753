"""What a confined child can and cannot do. The children are real shells; each refusal is shown to be the sandbox's."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from render import landlock
from render.sandbox import MIB, Child, Limits, Sandbox, limit, sandbox_report, start
from tests.processes import alive, comes, gone, session

ROOT = Path(__file__).parents[2]
SHELL = "/bin/sh"
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


NOTHING, USUAL = Sandbox(), Limits()


def run(script: str, sandbox: Sandbox, limits: Limits = USUAL) -> tuple[int, str, str]:
    child = start([SHELL, "-c", script], sandbox, limits)
    try:
        out, err = child.communicate(timeout=20)
    finally:
        child.end()
    return child.returncode, out.decode(), err.decode()


@contextmanager
def running(script: str, sandbox: Sandbox = NOTHING, limits: Limits = USUAL) -> Iterator[Child]:
    child = start([SHELL, "-c", f"echo up; {script}"], sandbox, limits)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        yield child
    finally:
        child.end()


@needs_landlock
def test_it_reads_what_is_named_and_nothing_beside(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.write_text("of mine")
    other.write_text("of another")
    box = Sandbox(reads=(mine,))
    assert run(f"cat {mine}", box)[:2] == (0, "of mine")
    code, out, err = run(f"cat {other}", box)
    assert (code, out) == (1, "")
    assert "Permission denied" in err
    assert run(f"cat {mine} {other}", Sandbox(reads=(tmp_path,)))[:2] == (0, "of mineof another")
    link = tmp_path / "link"
    link.symlink_to(other)
    assert run(f"cat {link}", box)[0] == 1


@needs_landlock
@pytest.mark.parametrize(
    "act", ["echo x > {}/new", "echo x >> {}/old", "rm {}/old", "mv {}/old {}/older", "mkdir {}/d"]
)
def test_it_writes_into_its_folder_and_nowhere_else(tmp_path: Path, act: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "old").write_text("old")
    box = Sandbox(writes=(inside,))
    assert run(act.replace("{}", str(outside)), box)[0] != 0
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("old", "old")]
    if "mkdir" not in act:
        assert run(act.replace("{}", str(inside)), box)[0] == 0


@needs_landlock
def test_it_runs_what_is_named_and_the_systems_programs(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    assert run(str(program), Sandbox(runs=(program,)))[:2] == (0, "ran\n")
    assert run(str(program), Sandbox(reads=(program,)))[0] == 126
    assert run(str(program), Sandbox())[0] == 126


@pytest.mark.skipif(landlock.abi() < 4, reason="this kernel cannot refuse TCP")
def test_it_gets_no_network() -> None:
    # Python as the child: the one program at hand that certainly speaks TCP.
    box = Sandbox(runs=tuple(map(Path, (sys.prefix, sys.base_prefix))))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for call in (f"create_connection(('127.0.0.1', {port}))", "create_server(('127.0.0.1', 0))"):
            words = ["-I", "-c", f"import socket; socket.{call}; print('through')"]
            free = subprocess.run([sys.executable, *words], capture_output=True, check=False)
            assert free.stdout == b"through\n"
            # By its real path: a virtual environment's is found through the name that the program was called by.
            child = start([os.path.realpath(sys.executable), *words], box, Limits())
            out, err = child.communicate(timeout=20)
            child.end()
            assert out == b""
            assert b"PermissionError" in err


def test_what_the_kernel_knows_of_a_child() -> None:
    with running("sleep 60", Sandbox(niceness=7), Limits(900 * MIB, 5 * MIB, 77)) as child:
        status = Path(f"/proc/{child.pid}/status").read_text()
        assert "NoNewPrivs:\t1\n" in status
        assert Path(f"/proc/{child.pid}/oom_score_adj").read_text() == "800\n"
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
        limits = [resource.prlimit(child.pid, kind)[1] for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)]
        assert limits == [900 * MIB, 5 * MIB]
        rest = (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
        assert [resource.prlimit(child.pid, kind)[0] for kind in rest] == [77, 64, 0]
        if sandbox_report()["idle_io"]:
            seen = subprocess.run(["ionice", "-p", str(child.pid)], capture_output=True, text=True, check=False)
            assert seen.stdout.strip() == "idle"


def test_only_the_starting_thread_is_confined() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    run("true", Sandbox(niceness=5))
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    assert "NoNewPrivs:\t0\n" in Path("/proc/self/status").read_text()


def test_a_limit_is_never_raised() -> None:
    with running("sleep 60", limits=Limits(memory_bytes=500 * MIB)) as child:
        limit(child, Limits(memory_bytes=900 * MIB))
        assert resource.prlimit(child.pid, resource.RLIMIT_AS) == (500 * MIB, 500 * MIB)


def test_files_cannot_grow_over_their_limit(tmp_path: Path) -> None:
    script = f"exec dd if=/dev/zero of={tmp_path}/big bs=1M count=3"
    assert run(script, Sandbox(writes=(tmp_path,)), Limits(file_bytes=MIB))[0] == -signal.SIGXFSZ
    assert (tmp_path / "big").stat().st_size == MIB


def test_inherited_files_stay_open(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), False)
        child = start([SHELL, "-c", "readlink /proc/$$/fd/*; sleep 60"], Sandbox(), Limits(), pass_fds=[lock.fileno()])
        try:
            assert os.readlink(f"/proc/{child.pid}/fd/{lock.fileno()}") == str(tmp_path / "lock")
        finally:
            child.end()


def test_the_end_takes_the_whole_group() -> None:
    with running("sleep 60 & sleep 60") as child:
        assert comes(lambda: len(session(child.pid)) == 3)
    assert comes(lambda: not session(child.pid))


def test_what_outlives_the_child_in_its_group_goes_with_it() -> None:
    child = start([SHELL, "-c", "sleep 60 & echo up"], Sandbox(), Limits())
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    assert child.wait(20) == 0
    assert session(child.pid)
    child.end()
    assert comes(lambda: not session(child.pid))


def test_starters_do_not_stay() -> None:
    before = threading.active_count()
    for _ in range(5):
        run("true", Sandbox())
    assert comes(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("confined", [True, False])
def test_the_group_dies_with_its_parent(confined: bool) -> None:
    begun = "start(command, Sandbox(), Limits())" if confined else "Child(command, stdout=-1)"
    code = (
        "import sys, time; from render.sandbox import *\n"
        f"command = ['/bin/sh', '-c', 'sleep 60 & echo up; sleep 60; true']\nchild = {begun}\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert comes(lambda: len(session(child)) == 3)
        parent.kill()
    assert gone(child, 1)
    assert comes(lambda: not session(child), 1)


@pytest.mark.skipif(not sandbox_report()["death_signal"], reason="setpriv of util-linux is not installed")
def test_nothing_begins_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    """The gap between fork and death signal: a program is named through the thread that starts it."""
    stop = threading.Event()
    known: list[int] = []

    def live() -> None:
        known.append(threading.get_native_id())
        stop.wait()

    thread = threading.Thread(target=live)
    thread.start()
    assert comes(lambda: known)
    command = ["setpriv", "--pdeathsig", "KILL", f"/proc/{known[0]}/root{SHELL}", "-c", "echo began"]
    began = subprocess.run(command, capture_output=True, check=False)
    assert began.stdout == b"began\n"
    stop.set()
    thread.join()
    assert comes(lambda: not Path(f"/proc/{known[0]}").exists())
    late = subprocess.run(command, capture_output=True, check=False)
    assert (late.stdout, late.returncode) == (b"", 127)


def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(FileNotFoundError):
        start([str(tmp_path / "none")], Sandbox(), Limits())
    with pytest.raises(PermissionError):
        start([str(plain)], Sandbox(), Limits())


def test_a_dropped_child_is_killed() -> None:
    child = Child([SHELL, "-c", "echo up; sleep 60"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    pid = child.pid
    child._let_go()
    assert child.wait(20) == -signal.SIGKILL
    assert not alive(pid)
    child.end()


def test_the_report_says_what_there_is() -> None:
    assert sandbox_report() == {
        "landlock": landlock.abi(),
        "tcp": landlock.abi() >= 4,
        "limits": True,
        "death_signal": Path("/usr/bin/setpriv").exists(),
        "idle_io": True,
    }
