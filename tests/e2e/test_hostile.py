"""Requests that nobody should send and libraries that nobody should have: an answer, never a crash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import media
from tests.e2e.service import SMALL, Service, eventually, service


def damage(clip: Path) -> None:
    """Let the second half of a file go bad, as disks do: size and time of change stay."""
    before = clip.stat()
    raw = clip.read_bytes()
    end = raw.rindex(b"moov") - 4
    clip.write_bytes(raw[: len(raw) // 2] + bytes(end - len(raw) // 2) + raw[end:])
    assert clip.stat().st_size == before.st_size
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_clip_that_fails_in_the_middle_fails_its_job_alone(own_library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", own_library) as run:
        run.start_api()
        run.start_worker()
        film = {"video": {"style": "lone", "duration": 7}, "output": SMALL}
        assert run.ended(run.submit(film)["job_id"])["status"] == "done"
        damage(own_library / "styles" / "lone" / "lone0.mp4")
        failing = run.submit(film)["job_id"]
        following = run.submit(video={"style": "dots", "duration": 1}, output=SMALL)["job_id"]
        job = run.ended(failing)
        assert job["status"] == "failed"
        assert job["error"]["code"] == "bad_media"
        assert job["error"]["permanent"] is True
        assert "lone0.mp4" in job["error"]["message"]
        assert str(own_library) not in json.dumps(job)
        assert run.request("GET", f"/v1/download/{failing}.mp4").status_code == 409
        assert run.ended(following)["status"] == "done"
        assert list((run.data / "work").iterdir()) == []
        # It is never picked again...
        again = run.submit(film)
        assert run.ended(again["job_id"])["error"]["code"] == "no_clips"
        scanned = run.command("library", "scan").stdout
        assert "lone: 0 usable" in scanned
        assert "skipped lone0.mp4: it ended before its time" in scanned
        # ...until it changes.
        media.clip(own_library / "styles" / "lone" / "lone0.mp4", "testsrc", rate="30", seconds=4)
        assert run.ended(run.submit(film)["job_id"])["status"] == "done"


def test_the_log_says_what_ffmpeg_said_and_the_answer_does_not(own_library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", own_library) as run:
        run.start_api()
        run.start_worker()
        film = {"video": {"style": "lone", "duration": 2}, "audio": {"audio": "low"}, "output": SMALL}
        assert run.ended(run.submit(film)["job_id"])["status"] == "done"
        clip = own_library / "styles" / "lone" / "lone0.mp4"
        before = clip.stat()
        clip.write_bytes(b"x" * before.st_size)
        os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
        job = run.ended(run.submit(film)["job_id"])
        assert job["status"] == "failed"
        assert job["error"]["code"] == "ffmpeg_failed"
        words = "Invalid data found when processing input"
        assert words in run.log("worker")
        assert words not in json.dumps(job)
        assert "Traceback" not in json.dumps(job)


def test_a_style_that_went_after_it_was_asked_for(own_library: Path, tmp_path: Path) -> None:
    with service(tmp_path / "run", own_library) as run:
        run.start_api()
        gone = run.submit(video={"style": "lone", "duration": 1}, output=SMALL)["job_id"]
        stays = run.submit(video={"style": "dots", "duration": 1}, output=SMALL)["job_id"]
        shutil.rmtree(own_library / "styles" / "lone")
        run.start_worker()
        job = run.ended(gone)
        assert (job["status"], job["error"]["code"], job["error"]["permanent"]) == ("failed", "invalid_spec", True)
        assert "video.style" in job["error"]["message"]
        assert run.ended(stays)["status"] == "done"


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API over a library with links to outside. The clips need not be clips: nothing opens them here."""
    folder = tmp_path_factory.mktemp("trapped")
    root, outside = folder / "library", folder / "outside"
    for place in (root / "styles" / "good", root / "audio", root / "logos", outside):
        place.mkdir(parents=True)
    for name in ("styles/good/a.mp4", "audio/a.mp3", "logos/a.png"):
        (root / name).touch()
    for name in ("secret.mp4", "secret.mp3", "secret.png"):
        (outside / name).touch()
    (root / "styles" / "out").symlink_to(outside)
    (root / "styles" / "good" / "out.mp4").symlink_to(outside / "secret.mp4")
    (root / "audio" / "out.mp3").symlink_to(outside / "secret.mp3")
    (root / "logos" / "out.png").symlink_to(outside / "secret.png")
    with service(folder / "run", root) as run:
        run.start_api()
        yield run


NAMES = ["..", ".", "../outside", "/", "/etc", "good/../good", "good/a.mp4", "a\0b", "\0", "out", "out.mp3", "out.png"]


@pytest.mark.parametrize("name", [*NAMES, "x" * 255, "x" * 256, "\ud800", "%2e%2e", "..\\..", "\u202egood", "🎬", " "])
def test_a_name_reaches_nothing_outside(trapped: Service, name: str) -> None:
    for field, spec in {
        "video.style": {"video": {"style": name}},
        "audio.audio": {"audio": {"audio": name}},
        "logo.name": {"logo": {"name": name}},
        "text_overlays[0].font": {"text_overlays": [{"text": "a", "font": name}]},
    }.items():
        answer = trapped.request("POST", "/v1/generate", content=json.dumps(spec))
        assert answer.status_code == 422, (field, answer.text)
        assert [problem["field"] for problem in answer.json()["errors"]] == [field]
        assert "outside" not in answer.text.replace("reaches outside", "")
    assert trapped.rows("select count(*) from job") == [(0,)]


def test_what_links_outside_is_not_listed(trapped: Service) -> None:
    assert trapped.request("GET", "/v1/styles").json()["items"] == [{"name": "good", "clips": 1}]
    assert [item["name"] for item in trapped.request("GET", "/v1/audio").json()["items"]] == ["a"]


def texts(*words: str, **fields: Any) -> dict[str, Any]:
    return {"text_overlays": [{"text": word, **fields} for word in words], "video": {"duration": 1}, "output": SMALL}


BAD_BODIES: dict[str, tuple[int, str]] = {
    "nothing": (400, ""),
    "not JSON": (400, "{"),
    "half a string": (400, '{"video": {"style": "ra'),
    "bytes": (400, "\udcff\udcfe"),
    "a list": (422, "[]"),
    "null": (422, "null"),
    "a number": (422, "3"),
    "a name twice": (400, '{"video": {}, "video": {}}'),
    "too deep": (400, "[" * 100_000),
    "deep in client_data": (400, '{"client_data": ' + "[" * 5_000 + "]" * 5_000 + "}"),
    "NaN": (422, '{"video": {"duration": NaN}}'),
    "infinity": (422, '{"video": {"speed": Infinity}}'),
    "1e309": (422, '{"video": {"brightness": 1e309}}'),
    "a long number": (400, '{"video": {"duration": ' + "9" * 5_000 + "}}"),
    "minus zero seed": (422, '{"seed": -1}'),
    "a huge seed": (422, '{"seed": 1e300}'),
    "10,000 characters": (422, json.dumps(texts("a" * 10_000))),
    "201 overlays": (422, json.dumps(texts(*["a"] * 201))),
    "wrong everywhere": (422, json.dumps({"video": [], "audio": 3, "text_overlays": {}, "logo": "x", "output": None})),
    "true as number": (422, '{"video": {"duration": true}}'),
    "lone surrogate": (422, json.dumps(texts("a \ud800 b"))),
    "odd size": (422, '{"output": {"width": 271}}'),
    "NaN in client_data": (422, '{"client_data": [NaN]}'),
    "font of 1e9 px": (422, json.dumps(texts("a", font_size=1e9))),
    "1 MB and more": (413, " " * 1_100_000 + "{}"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_answered(trapped: Service, case: str) -> None:
    status, body = BAD_BODIES[case]
    answer = trapped.request("POST", "/v1/generate", content=body.encode("utf-8", "surrogateescape"))
    assert answer.status_code == status, answer.text[:500]
    assert answer.json()["message"]
    assert len(answer.content) < 300_000
    assert trapped.rows("select count(*) from job") == [(0,)]


ODD_TEXTS = (
    "word " * 999 + "end!!",
    "a" * 5_000,
    "🎬 film 👩\u200d👩\u200d👧 🇩🇪 ❤️\u200d🔥 1️⃣",
    "a\0b\x07c\x1b[31m d\u2028e\tf\r\ng\ufeff",
    "שלום עולם \u202eabc\u202c مرحبا بالعالم",
    "Z" + "\u0301\u0489" * 500,
    "%{pts} ',movie=/etc/passwd[x];[x]\\n: = \" $(id) `id`",
    *("", " ", "\u200b", "\n" * 100),
)
GOOD_BODIES: dict[str, dict[str, Any]] = {
    "odd texts": texts(*ODD_TEXTS),
    "200 overlays that fade": texts(*"abcde" * 40, fade_in=0.3, fade_out=0.3, start_time=0.1, end_time=0.9),
    "far outside": texts("gone", positionxy=[-4000, 4000], margin=[0, 0, 4000, 0]),
    "invisible": texts("gone", opacity=0, font_color="#00000000"),
    "huge letters": texts("HUGE", font_size=1000, stroke={"width": 100}, shadow={"blur": 200}, box={"padding": 500}),
    "extreme colours": {
        "video": {"duration": 1, "exposure": 0, "contrast": 0, "saturation": 4, "blur": 100, "speed": 4},
        "output": SMALL,
    },
    "all fades and slow": {
        "video": {"duration": 1, "fade_in": 1, "fade_out": 1, "speed": 0.1},
        "audio": {"fade_in": 1, "fade_out": 1},
        "output": SMALL,
    },
    "wide and flat": {"video": {"duration": 1}, "output": {"width": 2160, "height": 128, "fps": 10}},
}


def test_what_is_unusual_and_allowed_is_made(running: Service) -> None:
    jobs = {}
    for name, spec in GOOD_BODIES.items():
        answer = running.request("POST", "/v1/generate", content=json.dumps(spec))
        assert answer.status_code == 202, (name, answer.text)
        jobs[name] = answer.json()["job_id"]
    ended = {name: running.ended(job_id) for name, job_id in jobs.items()}
    assert {name: job["error"] for name, job in ended.items() if job["status"] != "done"} == {}
    for job in ended.values():
        assert job["result"]["duration_s"] == 1
    eventually(lambda: not running.encoders(), "nothing runs on")
    assert "Traceback" not in running.log("worker")
    assert "Traceback" not in running.log("api")
