"""`vix demo`: the main job on show. Starts the service on a free port and asks for a film over HTTP, as n8n would."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from daemon.commands.terminal import ProgressLine
from daemon.settings import Settings
from daemon.signals import ASK, HURRY, on_stop
from render.sandbox import Child

# The founding request: what the flow that Vix was made for posts every week.
REQUEST: dict[str, Any] = {
    "video": {
        "style": "random",
        "exposure": 1.0,
        "brightness": 1.1,
        "contrast": 1.0,
        "saturation": 1.2,
        "fade_in": 0,
        "fade_out": 0,
        "duration": 15,
        "speed": 0.5,
        "blur": 0,
    },
    "audio": {"audio": "random", "volume": 1.0, "fade_in": 2, "fade_out": 2},
    "text_overlays": [
        {
            "text": "Hello World",
            "font": "Arial",
            "font_size": 30,
            "font_align": "center",
            "font_color": "white",
            "start_time": None,
            "end_time": None,
            "fade_in": 0.0,
            "fade_out": 0.0,
            "positionxy": ["center", "center"],
            "margin": [0, 0, 0, 0],
        }
    ],
    "signature": {
        "text": "@mychannel",
        "font": "Arial",
        "font_size": 24,
        "font_align": "center",
        "font_color": "white",
        "opacity": 0.5,
        "positionxy": ["bottom", "center"],
        "margin": [0, 25, 25, 0],
    },
    "logo": {
        "name": "logo.png",
        "size": 150,
        "positionxy": ["bottom", "center"],
        "margin": [0, 25, 25, 0],
        "opacity": 1.0,
    },
}

POST: dict[str, Any] = {
    "title": "Hello World",
    "description": "The first film of many.",
    "hashtags": ["hello", "slowmotion"],
}

_START_S = 30.0
_PUBLISH_S = 180.0
_RENDER_S = 600.0

Children = Mapping[str, "subprocess.Popen[bytes]"]


class DemoFailed(click.ClickException):
    """The demo did not get its film; the message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to show: the folder for the film, whether to leave the service running, whether to publish, too."""

    out: Path | None = None
    keep: bool = False
    publish: bool = False


def run(settings: Settings, commands: Mapping[str, Sequence[str]], wishes: Wishes) -> int:
    """Show one film being made, and published on a far side of its own if that is wished; returns an exit code.

    The service runs on a fresh data folder inside the configured one, so that neither a running service nor an earlier
    demo is in its way; the clip library is shared, and what is known of its clips is kept.
    """
    home = settings.data / "demo"
    target = (wishes.out or home).absolute()
    far_side = _far_side() if wishes.publish else nullcontext(None)
    with _stoppable(), _folder(home, target) as data, _remembered(data, home, settings.catalogue), far_side as far:
        _show(settings, commands, data, target, wishes.keep, far)
    return 0


def _show(
    settings: Settings,
    commands: Mapping[str, Sequence[str]],
    data: Path,
    target: Path,
    keep: bool,
    far: Mapping[str, str] | None,
) -> None:
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    env = {
        **os.environ,
        "VIX_DATA": str(data),
        "VIX_LIBRARY": str(settings.library_folder),
        "VIX_PORT": str(port),
        "VIX_HOST": "127.0.0.1",
        "VIX_PUBLIC_URL": base,
        "VIX_LOG_LEVEL": "WARNING",
        **({"VIX_FACEBOOK_URL": far["url"]} if far else {}),
    }
    with _running(commands, env) as children:
        _wait_until_up(base, children)
        key = _command(env, ["keys", "create", "demo"]).splitlines()[-1]
        if far:
            _connect(env, far)
        film, link = _film(base, key, target, children, is_published=far is not None)
        click.echo(f"Film: {film}")
        if keep:
            click.echo(f"Link: {link}   (header X-Api-Key: {key})")
            click.echo("The service keeps running; Ctrl-C ends it.")
            _wait_for_ctrl_c(children)
        else:
            click.echo(f"Link: {film.as_uri()}")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the first signal that asks to stop end the block as Ctrl-C does; more must not disturb the tidying."""
    told = False

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            raise KeyboardInterrupt

    with on_stop(stop):
        yield


@contextmanager
def _folder(home: Path, target: Path) -> Iterator[Path]:
    """A data folder that is gone afterwards, and the place where the film goes."""
    try:
        for folder in (target, home):
            folder.mkdir(parents=True, exist_ok=True)
        run = tempfile.TemporaryDirectory(prefix="run-", dir=home, ignore_cleanup_errors=True)
    except OSError as exc:
        raise DemoFailed(f"{exc.filename} cannot be written: {exc.strerror}") from exc
    with run as name:
        yield Path(name)


@contextmanager
def _remembered(data: Path, home: Path, configured: Path) -> Iterator[None]:
    """Look at each clip once in all demos, and at none that the service knows already."""
    inside, kept = data / configured.name, home / configured.name
    if known := next((path for path in (kept, configured) if path.exists()), None):
        shutil.copyfile(known, inside)
    try:
        yield
    finally:
        if inside.exists():
            inside.replace(kept)


@contextmanager
def _running(commands: Mapping[str, Sequence[str]], env: Mapping[str, str]) -> Iterator[Children]:
    children = {
        name: Child(list(command), env=dict(env), stdout=subprocess.DEVNULL) for name, command in commands.items()
    }
    try:
        yield children
    finally:
        for child in children.values():
            child.send_signal(ASK)
            child.send_signal(HURRY)
        for child in children.values():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _check(children: Children) -> None:
    """Raise DemoFailed where a part of the service has ended."""
    for name, child in children.items():
        if (code := child.poll()) is not None:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise DemoFailed(f"the {name} {how}; `vix doctor` says what is missing")


def _wait_until_up(base: str, children: Children) -> None:
    """Wait until the API answers and the worker has been heard of."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        _check(children)
        try:
            health = _call(f"{base}/health", ok=(200, 503))
        except DemoFailed:
            time.sleep(0.1)
            continue
        if health["checks"]["worker"]["ok"]:
            click.echo(f"Service: {base}")
            return
        time.sleep(0.1)
    raise DemoFailed("the service did not start; `vix doctor` says what is missing")


def _command(env: Mapping[str, str], arguments: Sequence[str], typed: str = "") -> str:
    """What a command of ours prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "daemon", *arguments],
        env=dict(env),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoFailed(f"`vix {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def _far_side() -> Iterator[dict[str, str]]:
    """A stand-in of Facebook on this machine, as the tests have it: where it is, and what it accepts."""
    root = Path(__file__).parents[2]
    if not (root / "tests" / "fakes" / "facebook.py").is_file():
        raise DemoFailed("the stand-in of Facebook is part of the repository's tests, which are not here")
    command = [sys.executable, "-m", "tests.fakes.facebook"]
    child = Child(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        line = child.stdout.readline()
        if not line:
            raise DemoFailed("the stand-in of Facebook did not start")
        found: dict[str, str] = json.loads(line)
        click.echo(f"Far side: {found['url']} (a stand-in of Facebook on this machine)")
        yield found
    finally:
        child.kill()
        child.wait()


def _connect(env: Mapping[str, str], far: Mapping[str, str]) -> None:
    """Connect the far side's page as an operator does."""
    typed = f"{far['token']}\n{far['app_secret']}\n"
    line = _command(env, ["accounts", "add", "facebook", "--app-id", far["app_id"]], typed)
    click.echo(f"Account: {line}")


def _film(base: str, key: str, target: Path, children: Children, *, is_published: bool) -> tuple[Path, str]:
    """Ask for the film, follow its progress, fetch it; returns the file and its link at the service."""
    started = time.monotonic()
    request = REQUEST | ({"publish": {"facebook": POST}} if is_published else {})
    job = _call(f"{base}/v1/generate", key, json.dumps(request).encode(), ok=(202,))
    click.echo(f"Job: {job['job_id']}")
    with ProgressLine("Film:") as line:
        while job["status"] not in ("done", "failed", "cancelled", "delivering"):
            if time.monotonic() - started > _RENDER_S:
                raise DemoFailed(f"the film was not finished within {_RENDER_S:g} s")
            time.sleep(0.5)
            _check(children)
            job = _call(job["status_url"], key)
            left = job["estimated_time_remaining_s"]
            line.show(job["progress"] / 100, f"{job['stage']}, about {left:.0f} s left" if left else job["status"])
    made_s = time.monotonic() - started
    _check_job(job)
    for warning in job["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    result = job["result"]
    click.echo(f"Made {result['duration_s']:g} s of film in {made_s:.1f} s from style {result['style']}.")
    if job["status"] == "delivering":
        _check_job(_published(job, key, children))
    film = target / "vix-demo.mp4"
    _download(result["download_url"], key, film)
    _download(result["thumbnail_url"], key, film.with_suffix(".jpg"))
    return film, str(result["download_url"])


def _check_job(job: Mapping[str, Any]) -> None:
    if job["status"] not in ("done", "delivering"):
        raise DemoFailed(f"the film failed: {(job['error'] or {}).get('message', job['status'])}")


_STAGES = {
    "ready": "Upload: the film goes to Facebook",
    "sending": "Order: to publish it; what comes of it is known whatever dies now",
    "accepted": "Processing: Facebook has taken it and works on it",
    "held": "Held: the account needs you",
    "unknown": "Unknown: Facebook cannot say what came of it",
}


def _published(job: dict[str, Any], key: str, children: Children) -> dict[str, Any]:
    """Follow a film to its page, step by step; the job at its end."""
    until, said = time.monotonic() + _PUBLISH_S, ""
    while job["status"] == "delivering":
        state = job["deliveries"][0]["state"]
        if state != said:
            said = state
            click.echo(_STAGES.get(state, state))
        if time.monotonic() > until:
            raise DemoFailed(f"the film was not published within {_PUBLISH_S:g} s")
        time.sleep(0.1)
        _check(children)
        job = _call(job["status_url"], key)
    delivery = job["deliveries"][0]
    if delivery["link"]:
        click.echo(f"Post: {delivery['link']}")
    return job


def _request(url: str, key: str | None, body: bytes | None) -> urllib.request.Request:
    headers = {"Content-Type": "application/json"} | ({"X-Api-Key": key} if key else {})
    return urllib.request.Request(url, data=body, headers=headers)


# Straight to the loopback address, whatever HTTP_PROXY says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _call(url: str, key: str | None = None, body: bytes | None = None, ok: tuple[int, ...] = (200,)) -> dict[str, Any]:
    try:
        with _opener.open(_request(url, key, body), timeout=30) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        status, raw = exc.code, exc.read()
    except (OSError, http.client.HTTPException) as exc:
        raise DemoFailed(f"the service does not answer: {exc}") from exc
    data: dict[str, Any] = json.loads(raw)
    if status not in ok:
        raise DemoFailed(f"the service answered {status}: {data.get('message', '')}")
    return data


def _download(url: str, key: str, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    with _opener.open(_request(url, key, None), timeout=60) as answer, part.open("wb") as file:
        shutil.copyfileobj(answer, file)
    part.replace(path)


def _wait_for_ctrl_c(children: Children) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            _check(children)
            time.sleep(0.5)
