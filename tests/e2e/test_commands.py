"""The commands as somebody types them: what they print, where, and what they end with."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from render.ffmpeg import FFmpeg
from render.probe import probe
from render.timeline import from_json
from tests import media
from tests.e2e.service import SMALL, Service, service


@pytest.fixture(scope="module")
def typed(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Commands on one data folder; nothing runs there."""
    with service(tmp_path_factory.mktemp("typed"), library) as run:
        yield run


def request(path: Path, **more: Any) -> str:
    path.write_text(json.dumps({"video": {"duration": 2, "style": "dots"}, "output": SMALL} | more))
    return str(path)


def test_render_makes_a_film_and_says_what_is_in_it(typed: Service, tmp_path: Path, ffmpeg: FFmpeg) -> None:
    out = tmp_path / "new folder" / "film.mp4"
    done = typed.command("render", request(tmp_path / "r.json"), "-o", str(out), "--seed", "3")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["seed"], result["duration_s"], result["style"], result["bytes"]) == (
        3,
        2,
        "dots",
        out.stat().st_size,
    )
    video = probe(out, ffmpeg).video
    assert video is not None
    assert video.frames == 60
    assert sorted(path.name for path in out.parent.iterdir()) == ["film.mp4"]
    assert "Traceback" not in done.stderr


def test_render_reads_standard_input_and_relative_paths(typed: Service) -> None:
    body = json.dumps({"video": {"duration": 1, "style": "lone"}, "output": SMALL})
    done = typed.command("render", "-", "-o", "piped.mp4", stdin=body)
    assert done.returncode == 0, done.stderr
    assert (typed.data.parent / "piped.mp4").stat().st_size == json.loads(done.stdout)["bytes"]


def test_a_timeline_is_printed_by_seed_and_not_by_run(typed: Service, tmp_path: Path) -> None:
    file = request(tmp_path / "r.json", seed=4)
    more: list[list[str]] = [[], [], ["--seed", "9"]]
    own, again, other = (typed.command("render", file, "--timeline", *options).stdout for options in more)
    assert own == again
    assert own != other
    timeline = from_json(own)
    assert (timeline.frames, timeline.width, timeline.height) == (60, 180, 320)


def test_a_dry_run_chooses_and_writes_no_film(typed: Service, tmp_path: Path) -> None:
    out = tmp_path / "film.mp4"
    done = typed.command("render", request(tmp_path / "r.json"), "-o", str(out), "--dry-run")
    assert (done.returncode, out.exists()) == (0, False)
    chosen = json.loads(done.stdout)
    assert (chosen["style"], chosen["duration_s"]) == ("dots", 2)
    assert chosen["clips"][0]["name"].startswith("dots")


def test_a_folder_of_clips_is_a_library(typed: Service, tmp_path: Path) -> None:
    folder = tmp_path / "holiday clips"
    folder.mkdir()
    media.clip(folder / "beach.mp4", size="320x180", seconds=2)
    (folder / "notes.txt").write_text("no clip")
    file = tmp_path / "r.json"
    file.write_text(json.dumps({"video": {"duration": 1, "style": "holiday clips"}, "output": SMALL}))
    done = typed.command("render", str(file), "--library", str(folder), "-o", str(tmp_path / "f.mp4"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["style"], result["music"], result["clips"][0]["name"]) == ("holiday clips", None, "beach.mp4")
    assert "silent" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["beach.mp4", "notes.txt"], "the folder stays as it was"


def test_a_folder_without_clips_is_refused_and_stays_empty(typed: Service, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    done = typed.command("render", "-", "-o", str(tmp_path / "f.mp4"), "--library", str(folder), stdin="{}")
    assert done.returncode == 1
    assert "no clips" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"vidoe": {}}', ["vidoe", "video"]),
        ('{"video": {"duration": 0, "speed": "x"}, "seed": -1}', ["video.duration", "video.speed", "seed"]),
        ('{"video": {"style": "dotz"}}', ["video.style", '"dots"']),
        ('{"text_overlays": [{"text": "a", "font": "Ariel"}]}', ["text_overlays[0].font", "Arial"]),
        ("{", ["JSON"]),
        ("[]", ["object"]),
        ("\udcff\udcfe", ["(body)"]),
        ('{"video": {"duration": 1e309}}', ["video.duration"]),
        ("[" * 100_000, ["JSON"]),
    ],
)
def test_a_wrong_request_names_every_field(typed: Service, tmp_path: Path, body: str, says: list[str]) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(body.encode("utf-8", "surrogateescape"))
    done = typed.command("render", str(file), "-o", str(tmp_path / "f.mp4"))
    assert done.returncode == 1
    assert all(word in done.stderr for word in says), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "f.mp4").exists()


def test_render_needs_to_know_where_to_and_from(typed: Service, tmp_path: Path) -> None:
    file = request(tmp_path / "r.json")
    none = str(tmp_path / "none.json")
    for arguments in (["render"], ["render", file], ["render", none, "-o", "x.mp4"], ["render", file, "-o", "x.jpg"]):
        done = typed.command(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_film_that_cannot_be_written_is_an_error_of_one_line(typed: Service, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = typed.command("render", request(tmp_path / "r.json"), "-o", str(tmp_path / "file" / "f.mp4"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_keys_are_made_listed_and_revoked(typed: Service) -> None:
    made = typed.command("keys", "create", "my n8n flow")
    *_, key = made.stdout.splitlines()
    assert key.startswith("catv_")
    assert " " not in key
    key_id = key.split("_")[1]
    listed = typed.command("keys", "list").stdout
    assert key_id in listed
    assert "my n8n flow" in listed
    assert key not in listed
    typed.start_api()
    assert typed.request("GET", "/v1/styles", headers={"X-Api-Key": key}).status_code == 200
    assert typed.command("keys", "revoke", key_id).returncode == 0
    assert typed.request("GET", "/v1/styles", headers={"X-Api-Key": key}).status_code == 401
    assert "revoked" in typed.command("keys", "list").stdout
    assert typed.command("keys", "revoke", key_id).returncode == 0, "once more is no error"
    rotated = typed.command("keys", "rotate", key_id)
    assert (rotated.returncode, "is revoked" in rotated.stderr) == (1, True)
    unknown = typed.command("keys", "revoke", "nobody")
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr
    typed.stop("api")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101, "\x1b[31m"])
def test_a_key_needs_a_name_that_can_be_listed(typed: Service, name: str) -> None:
    done = typed.command("keys", "create", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_scan_says_which_clips_cannot_be_used(typed: Service, tmp_path: Path) -> None:
    library = tmp_path / "library"
    bad = library / "styles" / "bad"
    bad.mkdir(parents=True)
    (bad / "broken.mp4").write_bytes(b"this is no film")
    media.clip(bad / "black.mp4", "color=c=black", seconds=2)
    media.clip(bad / "frozen.mp4", "smptebars", seconds=2)
    media.clip(bad / "short.mp4", seconds=0.5)
    media.clip(bad / "good.mkv", seconds=2)
    (library / "audio").mkdir()
    media.tone(library / "audio" / "tone.wav", seconds=2, frequency=997, volume=0.1)
    (library / "audio" / "broken.mp3").write_bytes(b"this is no track")
    request(tmp_path / "r.json", video={"style": "bad", "duration": 20})
    with service(tmp_path / "run", library) as run:
        scanned = run.command("library", "scan")
        assert scanned.returncode == 0
        assert "bad: 1 usable, 2 s of picture, 4 skipped" in scanned.stdout
        for name in ("broken.mp4", "black.mp4", "frozen.mp4", "short.mp4"):
            assert f"  skipped {name}: " in scanned.stdout
        # By definition a tone of 997 Hz on both sides is as loud in LUFS as its peak is in dB.
        assert "track tone.wav: -20.0 LUFS, 2 s\n" in scanned.stdout
        assert "track broken.mp3: broken.mp3 cannot be read" in scanned.stdout

        def chosen() -> set[str]:
            done = run.command("render", str(tmp_path / "r.json"), "--dry-run")
            return {clip["name"] for clip in json.loads(done.stdout)["clips"]}

        assert chosen() == {"good.mkv"}
        for name in ("broken.mp4", "black.mp4"):
            shutil.copy(bad / "good.mkv", bad / name)
        assert chosen() == {"good.mkv", "broken.mp4", "black.mp4"}
        assert "bad: 3 usable" in run.command("library", "scan").stdout


def test_doctor_finds_nothing_wrong_here(typed: Service) -> None:
    done = typed.command("doctor")
    assert (done.returncode, "FAIL" in done.stdout) == (0, False), done.stdout
    for word in ("data folder", "database", "FFmpeg", "library", "fonts", "worker"):
        assert f"ok   {word}: " in done.stdout


def test_doctor_says_what_to_do(library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", library, ffmpeg="/nonexistent/ffmpeg") as run:
        (run.data / "vix.db").write_bytes(b"this is no database" * 100)
        done = run.command("doctor")
    assert done.returncode == 1
    assert "FAIL FFmpeg: " in done.stdout
    assert "-> unset FFMPEG" in done.stdout
    assert "FAIL database: " in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "eighty", "VIX_PORT"),
        ("PORT", "70000", "VIX_PORT"),
        ("STOP_S", "-1", "VIX_STOP_S"),
        ("LOG_LEVEL", "LOUD", "VIX_LOG_LEVEL"),
        ("QUEUE", "amqp://x", "VIX_QUEUE"),
        ("PUBLIC_URL", "films.example.org", "VIX_PUBLIC_URL"),
        ("THREADS", "1.5", "VIX_THREADS"),
    ],
)
def test_a_wrong_setting_is_named(library: Path, tmp_path: Path, name: str, value: str, says: str) -> None:
    with service(tmp_path / "run", library, **{name: value}) as run:
        done = run.command("keys", "list")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_settings_come_from_a_file_too_and_the_environment_goes_first(typed: Service, tmp_path: Path) -> None:
    with service(tmp_path / "run", typed.library) as run:
        (tmp_path / "run" / ".env").write_text("VIX_STOP_S=-3\nVIX_PORT=99999\n")
        assert "VIX_STOP_S" not in run.command("keys", "list").stderr, "set by the environment"
        run.settings = {}
        wrong = run.command("keys", "list").stderr
        assert "VIX_STOP_S" in wrong


COMMANDS = (["api"], ["worker"], ["up"], ["keys", "create", "x"], ["keys", "list"], ["library", "scan"], ["demo"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_data_folder_that_cannot_be_written_is_named(library: Path, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").touch()
    with service(tmp_path / "run", library) as run:
        run.data = tmp_path / "file" / "data"
        done = subprocess_of(run, tmp_path, command)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def subprocess_of(run: Service, folder: Path, command: list[str]) -> Any:
    """Run a command whose data folder cannot be there, from a folder that is."""
    environment = run.environment
    run.data = folder / "here" / "data"
    run.data.mkdir(parents=True)
    run.settings = {**run.settings, "DATA": environment["VIX_DATA"]}
    return run.command(*command)


@pytest.mark.parametrize("command", [["api"], ["worker"]], ids=" ".join)
def test_a_data_folder_that_is_not_there_yet_is_made(library: Path, tmp_path: Path, command: list[str]) -> None:
    with service(tmp_path / "run", library) as run:
        shutil.rmtree(run.data)
        if command == ["api"]:
            run.start_api()
        else:
            run.start_worker()
        assert run.data.is_dir()


def test_a_port_that_is_taken_is_named(halted: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        halted.settings = {**halted.settings, "PORT": port}
        for command in ("api", "up"):
            done = halted.command(command)
            assert done.returncode == os.EX_CONFIG
            assert f"127.0.0.1:{port}" in done.stderr
            assert "VIX_PORT" in done.stderr
            assert "Traceback" not in done.stderr
    assert halted.relatives() == []


def test_a_host_that_is_not_here_is_named(halted: Service) -> None:
    halted.settings = {**halted.settings, "HOST": "no such host"}
    done = halted.command("api")
    assert done.returncode == os.EX_CONFIG
    assert "no such host" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_may_come_yet_is_a_reason_to_start_again(halted: Service) -> None:
    halted.settings = {**halted.settings, "HOST": "203.0.113.7"}  # RFC 5737: nobody's
    done = halted.command("api")
    assert done.returncode == 1
    assert "203.0.113.7" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_starts_although_ffmpeg_does_not_tell_its_version(halted: Service) -> None:
    """It is killed where it is asked, as where memory runs out at that moment, and works after that."""
    program = halted.data.parent / "ffmpeg"
    real = media.FFMPEG
    program.write_text(f'#!/bin/sh\ncase "$*" in *-version) kill -9 $$;; esac\nexec {real} "$@"\n')
    program.chmod(0o755)
    halted.settings = {**halted.settings, "FFMPEG": str(program)}
    halted.start_worker()
    (row,) = halted.rows("select about from worker")
    assert json.loads(row[0])["ffmpeg"] == "unknown"
    assert "ffmpeg_version" in halted.log("worker")


def test_damage_is_noticed_by_the_worker_that_starts(halted: Service) -> None:
    """In a table that nothing else reads: the worker that checks it all says so, and ends."""
    halted.command("keys", "list")
    with closing(sqlite3.connect(halted.data / "vix.db", isolation_level=None)) as connection:
        connection.execute("create table big (text text)")
        connection.executemany("insert into big values (?)", [("x" * 3000,)] * 100)
        connection.execute("pragma wal_checkpoint(truncate)")
        (page,) = connection.execute("select rootpage from sqlite_schema where name = 'big'").fetchone()
    with (halted.data / "vix.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    done = halted.command("worker")
    assert done.returncode == os.EX_CONFIG
    assert "backup" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version(typed: Service) -> None:
    assert "demo" in typed.command("--help").stdout
    assert typed.command("--version").stdout.startswith("vix, version ")
    assert typed.command("flim").returncode == 2


def test_demo_makes_its_film_and_leaves_nothing_running(library: Path, tmp_path: Path, ffmpeg: FFmpeg) -> None:
    with service(tmp_path / "run", library) as run:
        (tmp_path / "run" / ".env").write_text("VIX_PUBLIC_URL=http://films.invalid\nVIX_HOST=films.invalid\n")
        done = run.command("demo", "--publish", "--out", str(tmp_path / "out"), timeout_s=120)
        assert done.returncode == 0, done.stderr
        film = Path(next(line for line in done.stdout.splitlines() if line.startswith("Film: "))[6:])
        assert film.parent == tmp_path / "out"
        video = probe(film, ffmpeg).video
        assert video is not None
        assert (video.width, video.height, video.frames) == (1080, 1920, 450)
        assert f"Link: {film.as_uri()}" in done.stdout
        assert re.search(r"Post: https://www\.facebook\.com/reel/\d+/", done.stdout)
        assert film.with_suffix(".jpg").exists()
        assert run.relatives() == []
        assert os.listdir(run.data / "demo") == ["catalogue.json"]


@pytest.mark.parametrize("command", ["api", "worker", "up"])
def test_settings_that_cannot_work_are_no_reason_to_start_again(halted: Service, command: str) -> None:
    halted.settings = {**halted.settings, "LOG_LEVEL": "LOUD"}
    assert halted.command(command).returncode == os.EX_CONFIG
    halted.settings = {**halted.settings, "LOG_LEVEL": "INFO", "FFMPEG": "/nonexistent/ffmpeg"}
    if command != "api":
        assert halted.command(command).returncode == os.EX_CONFIG


def test_what_the_service_keeps_is_for_nobody_else(library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", library) as run:
        shutil.rmtree(run.data)
        run.start_api()
        run.start_worker()
        assert run.ended(run.submit()["job_id"])["status"] == "done"
        kept = [run.data, *run.data.rglob("*")]
        assert {"vix.db", "queue.db", "films"} <= {path.name for path in kept}
        films = [path for path in kept if path.parent.name == "films"]  # Nginx, in the group, may send them
        assert [path for path in kept if path.stat().st_mode & (0o037 if path in films else 0o077)] == []
