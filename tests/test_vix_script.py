"""The script that sets Vix up, run for real: copies of it in folders of their own, real pip and uv, and a package index
on this machine that serves packages of a few lines and can be made to wait."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "vix"
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
LONG_S = 60

DAEMON = """
import json, os, sys
import greeting
print(json.dumps({"arguments": sys.argv[1:], "folder": os.getcwd(), "prefix": sys.prefix, "greeting": greeting.TEXT}))
"""
TOOL = """
import pathlib, sys
print("ran {name}", *sys.argv[1:])
sys.exit({name!r} in pathlib.Path("failing").read_text().split())
"""

WORKERS = min(8, len(os.sched_getaffinity(0)) + 2)


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def wheel(name: str, version: str, modules: dict[str, str]) -> bytes:
    """The bytes of a package of pure Python modules (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    files = {f"{module}.py": text for module, text in modules.items()}
    files[f"{info}/METADATA"] = metadata(name, version)
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


@dataclass
class Index:
    """A package index (PEP 503, metadata by PEP 658). A closed `gate` keeps package files waiting."""

    wheels: dict[str, bytes] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    deliveries: list[str] = field(default_factory=list)
    url: str = ""

    def offer(self, name: str, version: str, modules: dict[str, str]) -> str:
        """Returns the package's line for a lock file."""
        content = wheel(name, version, modules)
        self.wheels[f"{name}-{version}-py3-none-any.whl"] = content
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"

    def answer(self, path: str) -> bytes | None:
        name = path.rstrip("/").rsplit("/", 1)[-1]
        if path.startswith("/simple/"):
            files = [file for file in self.wheels if file.startswith(name + "-")]
            link = '<a href="/files/{0}" data-core-metadata="true" data-dist-info-metadata="true">{0}</a>'
            return "".join(link.format(file) for file in files).encode() if files else None
        if name.endswith(".metadata"):
            return metadata(*name.split("-")[:2]).encode()
        self.asked.set()
        self.gate.wait(LONG_S)
        self.deliveries.append(name)
        return self.wheels.get(name)


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index()
    index.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = index.answer(self.path)
            try:
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html" if "/simple/" in self.path else "application/zip")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")
            except ConnectionError:
                pass  # a killed installer does not wait for its answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        yield index
        index.gate.set()
        server.shutdown()
        thread.join()


@dataclass
class Clone:
    """A project that consists of the script, locks of tiny packages, and a daemon that says how it was started."""

    root: Path
    index: Index
    path: str = "/nonexistent"  # of executables; without uv unless a test says so
    python: str = PYTHON

    def lock(self, name: str, *lines: str) -> None:
        text = "".join([f"--index-url {self.index.url}\n", *lines])
        (self.root / "requirements" / f"{name}.txt").write_text(text, encoding="utf-8")

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        surroundings = os.environ | {"PATH": self.path, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        surroundings |= {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "1", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
        return subprocess.Popen(
            [self.python, str(self.root / "vix"), *arguments],
            cwd=cwd or self.root,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> Ended:
        return ended(self.start(*arguments, cwd=cwd))


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def said(self) -> dict[str, object]:
        assert self.code == 0, self.err
        said: dict[str, object] = json.loads(self.out.splitlines()[-1])
        return said


def ended(process: subprocess.Popen[str]) -> Ended:
    with process:
        out, err = process.communicate(timeout=LONG_S)
    return Ended(process.returncode, out, err)


@pytest.fixture
def clone(tmp_path: Path, index: Index) -> Clone:
    root = tmp_path / "the clone"
    (root / "requirements").mkdir(parents=True)
    (root / "daemon").mkdir()
    (root / "daemon" / "__main__.py").write_text(DAEMON, encoding="utf-8")
    shutil.copy(SCRIPT, root / "vix")
    clone = Clone(root, index)
    greeting = index.offer("greeting", "1.0", {"greeting": "TEXT = 'hello'"})
    tools = index.offer("tools", "1.0", {name: TOOL.format(name=name) for name in ("ruff", "mypy", "pytest")})
    clone.lock("run", greeting)
    clone.lock("dev", greeting, tools)
    (root / "failing").write_text("", encoding="utf-8")
    return clone


@pytest.fixture
def uv_path(tmp_path: Path) -> str:
    """A PATH with uv and nothing else; it makes environments in no time."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").symlink_to(Path(sysconfig.get_path("scripts")) / "uv")
    return str(tmp_path / "bin")


@pytest.fixture
def quick_clone(clone: Clone, uv_path: str) -> Clone:
    clone.path = uv_path
    return clone


def traces(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_sets_up_once_with_pip_and_keeps_the_working_folder(clone: Clone, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "daemon.py").write_text("raise SystemExit('the wrong daemon')", encoding="utf-8")

    first = clone.run("up", "two words", cwd=elsewhere)

    expected = {
        "arguments": ["up", "two words"],
        "folder": str(elsewhere),
        "prefix": str(clone.root / ".venv"),
        "greeting": "hello",
    }
    assert first.said == expected
    assert first.err == "Setting up (once, about a minute)...\n"
    assert (clone.root / ".venv" / "bin" / "pip").exists()
    before = traces(clone.root)

    second = clone.run("up", "two words", cwd=elsewhere)

    assert (second.said, second.err) == (expected, "")
    assert traces(clone.root) == before
    assert clone.index.deliveries == ["greeting-1.0-py3-none-any.whl"]


def test_uses_uv_where_it_is_there(quick_clone: Clone) -> None:
    assert quick_clone.run().said["greeting"] == "hello"
    assert not (quick_clone.root / ".venv" / "bin" / "pip").exists()
    assert quick_clone.run().err == ""


def test_falls_back_to_pip_where_uv_fails(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    clone.path = str(tmp_path)
    assert clone.run().said["greeting"] == "hello"


def test_a_changed_lock_is_installed(quick_clone: Clone) -> None:
    assert quick_clone.run().said["greeting"] == "hello"
    quick_clone.lock("run", quick_clone.index.offer("greeting", "2.0", {"greeting": "TEXT = 'good day'"}))
    assert quick_clone.run().said["greeting"] == "good day"


def test_a_moved_folder_starts_as_it_is(quick_clone: Clone, tmp_path: Path) -> None:
    quick_clone.run()
    quick_clone.root = quick_clone.root.rename(tmp_path / "moved")
    moved = quick_clone.run()
    assert moved.said["prefix"] == str(tmp_path / "moved" / ".venv")
    assert moved.err == ""


def test_kill_in_the_middle_is_repaired_after_the_orphan_has_ended(clone: Clone, uv_path: str) -> None:
    clone.index.gate.clear()
    with clone.start() as first:
        assert clone.index.asked.wait(LONG_S)
        first.kill()
    assert (clone.root / ".venv").exists()
    assert not (clone.root / ".venv" / "vix-stamp").exists()

    clone.path = uv_path
    with clone.start() as second:
        # The pip of the first is still there and would write into what the second makes.
        assert (second.stderr or io.StringIO()).readline() == "Waiting for another vix that is setting up...\n"
        clone.index.gate.set()
        assert ended(second).said["greeting"] == "hello"
    assert len(clone.index.deliveries) == 2


def test_two_at_once_set_up_once(clone: Clone) -> None:
    clone.index.gate.clear()
    with clone.start() as first:
        assert clone.index.asked.wait(LONG_S)
        with clone.start() as second:
            assert (second.stderr or io.StringIO()).readline() == "Waiting for another vix that is setting up...\n"
            clone.index.gate.set()
            assert ended(first).said["greeting"] == "hello"
            assert ended(second).said["greeting"] == "hello"
    assert len(clone.index.deliveries) == 1


def test_ctrl_c_ends_quietly_and_the_next_run_starts_afresh(clone: Clone, uv_path: str) -> None:
    clone.index.gate.clear()
    with clone.start() as first:
        assert clone.index.asked.wait(LONG_S)
        os.killpg(first.pid, signal.SIGINT)
        stopped = ended(first)
    assert (stopped.code, stopped.err) == (130, "Setting up (once, about a minute)...\n")
    clone.index.gate.set()
    clone.path = uv_path
    assert clone.run().said["greeting"] == "hello"


def test_a_package_that_differs_from_the_lock_is_refused(clone: Clone) -> None:
    clone.index.offer("greeting", "1.0", {"greeting": "TEXT = 'changed on the way'"})
    refused = clone.run()
    assert refused.code == 1
    assert "differs from the lock file" in refused.err
    assert not (clone.root / ".venv" / "vix-stamp").exists()


def test_says_what_to_do_without_network(clone: Clone) -> None:
    clone.index.url = "http://127.0.0.1:1/simple"
    clone.lock("run", "greeting==1.0 --hash=sha256:" + "0" * 64 + "\n")
    failed = clone.run()
    assert failed.code == 1
    assert "The package index could not be reached" in failed.err
    assert "Traceback" not in failed.err


def test_says_what_to_do_where_it_cannot_write(clone: Clone) -> None:
    (clone.root / ".venv.lock").mkdir()
    failed = clone.run()
    assert failed.code == 1
    assert failed.err.startswith("Vix could not set itself up: ")
    assert f"The set-up writes to {clone.root}: run it as its owner." in failed.err


def python_without_ensurepip(root: Path) -> str:
    """A Python as Debian ships it: the same program, with a standard library that lacks one package."""
    library = Path(sysconfig.get_path("stdlib"))
    (root / "bin").mkdir(parents=True)
    (root / "lib" / library.name).mkdir(parents=True)
    for part in [*library.iterdir(), *library.parent.glob("libpython*")]:
        if part.name != "ensurepip":
            folder = root / "lib" if part.parent != library else root / "lib" / library.name
            (folder / part.name).symlink_to(part)
    return str(shutil.copy(os.path.realpath(PYTHON), root / "bin" / "python3"))


def test_says_what_to_type_where_python_cannot_make_environments(clone: Clone, tmp_path: Path) -> None:
    clone.python = python_without_ensurepip(tmp_path / "debian")
    failed = clone.run()
    assert failed.code == 1
    package = f"python3.{sys.version_info.minor}-venv"
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert f"\n    {sudo}apt update && {sudo}apt install -y {package}\n" in failed.err


def test_an_environment_whose_python_is_gone_is_made_again(quick_clone: Clone, tmp_path: Path) -> None:
    quick_clone.python = python_without_ensurepip(tmp_path / "old")
    assert quick_clone.run().said["greeting"] == "hello"
    Path(quick_clone.python).unlink()
    quick_clone.python = PYTHON
    assert quick_clone.run().said["greeting"] == "hello"


def test_tests_extend_the_environment_and_the_service_keeps_it(quick_clone: Clone) -> None:
    quick_clone.run()
    tested = quick_clone.run("test")
    assert [line for line in tested.out.splitlines() if line.startswith("ran")] == [
        "ran ruff check .",
        "ran ruff format --check .",
        "ran mypy",
        f"ran pytest -n {WORKERS} --dist worksteal",
    ]
    assert tested.code == 0
    assert quick_clone.run().err == ""
    assert quick_clone.index.deliveries == ["greeting-1.0-py3-none-any.whl", "tools-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("failing", ["ruff", "mypy", "pytest"])
def test_every_check_runs_and_one_failure_is_enough(quick_clone: Clone, failing: str) -> None:
    (quick_clone.root / "failing").write_text(failing, encoding="utf-8")
    tested = quick_clone.run("test")
    assert tested.code == 1
    assert tested.out.count("ran ") == 4
    assert tested.out.splitlines()[-1] == f"ran pytest -n {WORKERS} --dist worksteal"


def test_arguments_of_test_go_to_pytest_alone(quick_clone: Clone) -> None:
    tested = quick_clone.run("test", "-k", "one of them")
    assert (tested.code, tested.out) == (0, "ran pytest -k one of them\n")


def test_bench_has_an_environment_of_its_own(quick_clone: Clone) -> None:
    quick_clone.lock("bench", quick_clone.index.offer("moviepy", "1.0", {"moviepy": ""}))
    benchmarks = quick_clone.root / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    (benchmarks / "__main__.py").write_text("import sys; print(*sys.argv[1:], sep='|')", encoding="utf-8")
    ran = quick_clone.run("bench", "--quick")
    moviepy_python = quick_clone.root / ".venv-bench" / "bin" / "python"
    assert ran.out == f"--moviepy-python|{moviepy_python}|--quick\n"
    assert subprocess.call([moviepy_python, "-c", "import moviepy"]) == 0
    assert quick_clone.run("bench").err == ""


def test_the_hook_has_an_environment_of_its_own(quick_clone: Clone) -> None:
    quick_clone.lock("hook", quick_clone.index.offer("small", "1.0", {"small": ""}))
    (quick_clone.root / "deployhook").mkdir()
    script = "import sys, small; print(sys.prefix, *sys.argv[1:], sep='|')"
    (quick_clone.root / "deployhook" / "__main__.py").write_text(script, encoding="utf-8")
    folder = quick_clone.root / ".venv-hook"
    assert quick_clone.run("hook", "--check").out == f"{folder}|--check\n"
    assert not (quick_clone.root / ".venv").exists()
    assert quick_clone.run("hook").err == ""


def test_prepare_sets_up_both_and_sees_that_the_service_loads(quick_clone: Clone) -> None:
    commands = quick_clone.root / "daemon" / "commands"
    commands.mkdir()
    (commands / "api.py").write_text("import greeting", encoding="utf-8")
    (commands / "worker.py").write_text("", encoding="utf-8")
    quick_clone.lock("hook", quick_clone.index.offer("small", "1.0", {"small": ""}))
    prepared = quick_clone.run("prepare")
    assert (prepared.code, prepared.out) == (0, "")
    assert all((quick_clone.root / name / "vix-stamp").exists() for name in (".venv", ".venv-hook"))
    assert quick_clone.run("prepare").err == ""
    (commands / "worker.py").write_text("import nothing_of_the_kind", encoding="utf-8")
    assert quick_clone.run("prepare").code == 1


def test_an_environment_that_releases_share_finds_the_release_it_was_started_from(
    quick_clone: Clone, tmp_path: Path
) -> None:
    quick_clone.run()
    original, shared = quick_clone.root, (quick_clone.root / ".venv").rename(tmp_path / "shared")
    for name in ("one", "two"):
        release = shutil.copytree(original, tmp_path / name)
        (release / ".venv").symlink_to("../shared")
        (release / "daemon" / "where.py").write_text("", encoding="utf-8")
        script = "import json, daemon.where as where; print(json.dumps({'file': where.__file__}))"
        (release / "daemon" / "__main__.py").write_text(script, encoding="utf-8")
        quick_clone.root = release
        ran = quick_clone.run()
        assert (ran.said["file"], ran.err) == (str(release / "daemon" / "where.py"), "")
    # One that no longer fits is left to the others.
    quick_clone.lock("run", quick_clone.index.offer("greeting", "2.0", {"greeting": "TEXT = 'good day'"}))
    quick_clone.run()
    assert not (quick_clone.root / ".venv").is_symlink()
    assert (shared / "vix-stamp").exists()


def offer_cluster(clone: Clone) -> None:
    clone.lock("cluster", clone.index.offer("driver", "1.0", {"driver": ""}))


def has_driver(clone: Clone) -> bool:
    python = clone.root / ".venv" / "bin" / "python"
    return subprocess.call([python, "-c", "import driver"], stderr=subprocess.DEVNULL) == 0


def test_an_extra_is_added_and_later_set_ups_keep_it(quick_clone: Clone) -> None:
    offer_cluster(quick_clone)
    quick_clone.run()
    before = quick_clone.index.deliveries.copy()
    assert quick_clone.run("add", "cluster").code == 0
    assert quick_clone.index.deliveries == [*before, "driver-1.0-py3-none-any.whl"]
    assert has_driver(quick_clone)
    assert quick_clone.run().err == ""

    quick_clone.lock("run", quick_clone.index.offer("greeting", "2.0", {"greeting": "TEXT = 'good day'"}))
    assert quick_clone.run().said["greeting"] == "good day"
    assert has_driver(quick_clone)
    assert quick_clone.run("test").code == 0
    assert has_driver(quick_clone)


def test_an_extra_sets_up_what_is_not_there_yet_and_a_changed_lock_of_it_is_installed(quick_clone: Clone) -> None:
    offer_cluster(quick_clone)
    assert quick_clone.run("add", "cluster").code == 0
    assert has_driver(quick_clone)
    quick_clone.lock("cluster", quick_clone.index.offer("driver", "2.0", {"newer_driver": ""}))
    assert quick_clone.run().said["greeting"] == "hello"
    python = quick_clone.root / ".venv" / "bin" / "python"
    assert subprocess.call([python, "-c", "import newer_driver"]) == 0


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_extra_that_cannot_be_had_leaves_everything_as_it_was(clone: Clone, uv_path: str, installer: str) -> None:
    if installer == "uv":
        clone.path = uv_path
    clone.run()
    clone.lock("cluster", "driver==1.0 --hash=sha256:" + "0" * 64 + "\n")
    failed = clone.run("add", "cluster")
    assert failed.code == 1
    assert "Traceback" not in failed.err
    again = clone.run()
    assert (again.said["greeting"], again.err) == ("hello", "")


@pytest.mark.parametrize("names", [[], ["clutser"], ["cluster", "x"]])
def test_an_unknown_extra_is_refused_before_anything_is_done(quick_clone: Clone, names: list[str]) -> None:
    refused = quick_clone.run("add", *names)
    assert (refused.code, refused.err) == (1, "Say what to add: ./vix add cluster\n")
    assert not (quick_clone.root / ".venv").exists()


def test_faults_run_with_what_tests_need(quick_clone: Clone) -> None:
    (quick_clone.root / "tests" / "faults").mkdir(parents=True)
    main = quick_clone.root / "tests" / "faults" / "__main__.py"
    main.write_text("import sys; print(*sys.argv[1:], sep='|')", encoding="utf-8")
    assert quick_clone.run("faults", "--kills", "3").out.splitlines()[-1] == "--kills|3"


def test_an_old_python_can_read_the_script_as_far_as_its_message() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 5))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]
    guard = next(i for i, node in enumerate(tree.body) if isinstance(node, ast.If))
    assert ast.unparse(tree.body[guard].test) == "sys.version_info < (3, 11)"  # type: ignore[attr-defined]
    [function] = [node for node in tree.body[:guard] if isinstance(node, ast.FunctionDef)]
    assert ast.unparse(function.args) == ""
    assert ast.unparse(function.returns or function) == "None"  # old Pythons evaluate it, and list[str] would not do
