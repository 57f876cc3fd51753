"""`?dry_run=1`: what a request would become, told from what is known, with nothing queued."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.kinds.base import Sources
from daemon.kinds.template import prepare
from daemon.sources.catalogue import Catalogue, only_known
from daemon.sources.library import Library
from render.ffmpeg import FFmpeg
from render.listen import listen
from render.plain import from_plain
from render.timeline import Timeline
from tests.daemon.material import looked_at, make_library
from tests.daemon.web.house import House, opened, services_at

SMALL = {"width": 128, "height": 128}
SPEC: dict[str, Any] = {
    "video": {"style": "rain", "duration": 2},
    "audio": {"audio": "calm"},
    "logo": {"name": "logo.png"},
    "text_overlays": [{"text": "a", "font": "Arial"}],
    "output": SMALL,
    "seed": 5,
}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, ffmpeg: FFmpeg) -> Path:
    """A library of real clips, and a catalogue of what a worker has seen of it."""
    root = make_library(tmp_path_factory.mktemp("dry") / "library")
    catalogue = Catalogue(root.parent / "catalogue.json", looked_at(ffmpeg))
    for clip in sorted((root / "styles").rglob("*.mp4")):
        if clip.parent.name != "snow":
            catalogue.inspection(clip)
    catalogue.track(root / "audio" / "calm.wav", lambda path: listen(path, ffmpeg))
    return root


@pytest.fixture
def seen(tmp_path: Path, known: Path) -> Iterator[House]:
    """A house with that library, whose FFmpeg nobody could start."""
    catalogue = only_known(known.parent / "catalogue.json")
    services = replace(services_at(tmp_path), library=Library(known), catalogue=catalogue)
    with opened(services, []) as house:
        yield house


def dry(house: House, spec: dict[str, Any]) -> dict[str, Any]:
    answer = house.client.post("/v1/generate?dry_run=1", json=spec)
    assert answer.status_code == 200, answer.text
    assert not house.client.get("/v1/jobs").json()["items"]
    return dict(answer.json())


def test_the_timeline_is_the_one_that_the_worker_would_make(seen: House, known: Path, ffmpeg: FFmpeg) -> None:
    said = dry(seen, SPEC)
    assert (said["warnings"], said["seed"]) == ([], 5)
    media = Catalogue(known.parent / "other.json", looked_at(ffmpeg))
    sources = Sources(Library(known), media, seen.services.fonts, lambda path: listen(path, ffmpeg))
    made = prepare(SPEC, 5, sources)
    found = from_plain(Timeline, said["timeline"])
    assert (found.frames, found.rate, len(found.layers)) == (60, made.timeline.rate, len(made.timeline.layers))
    shots = [layer["content"] for layer in said["timeline"]["layers"] if layer["content"]["type"] == "Media"]
    assert [shot["path"] for shot in shots] == [f"styles/rain/{clip['name']}" for clip in made.choices["clips"]]
    assert [sound["path"] for sound in said["timeline"]["sounds"]] == ["audio/calm.wav"]


def test_no_path_of_this_machine_is_told(seen: House, known: Path) -> None:
    answer = seen.client.post("/v1/generate?dry_run=1", json=SPEC)
    assert "Arimo-Regular.ttf" in answer.text
    assert "/fonts/" not in answer.text
    assert str(known) not in answer.text


def test_the_estimate_follows_the_films_before(seen: House) -> None:
    plain, twice = (dry(seen, {**SPEC, "video": {"style": "rain", "duration": s}}) for s in (2, 4))
    assert plain["estimate"]["waiting"] == 0
    long = dry(seen, {"video": {"style": "rain", "duration": 600}})["estimate"]["render_s"]
    half = dry(seen, {"video": {"style": "rain", "duration": 300}})["estimate"]["render_s"]
    assert long == pytest.approx(2 * half, rel=0.01)
    assert plain["estimate"]["render_s"] <= twice["estimate"]["render_s"]


def test_a_seed_is_drawn_and_told(seen: House) -> None:
    said = dry(seen, {**SPEC, "seed": None})
    again = dry(seen, {**SPEC, "seed": said["seed"]})
    assert again["timeline"] == said["timeline"]


def test_a_clip_that_was_never_looked_at_is_said_and_not_guessed(seen: House) -> None:
    said = dry(seen, {**SPEC, "video": {"style": "snow", "duration": 2}})
    assert said["timeline"] is None
    assert said["warnings"] == [
        'The Timeline is not known yet: "c.mp4" was not looked at yet; '
        "it will be for the first film, or by ./vix library scan."
    ]
    assert said["estimate"]["render_s"] >= 0


def test_a_track_that_was_never_looked_at_is_said(house: House) -> None:
    said = dry(house, {"audio": {"audio": "calm"}})
    assert said["timeline"] is None
    assert '"calm.m4a" was not looked at yet' in said["warnings"][0]


def test_a_film_that_cannot_be_made_is_said(seen: House) -> None:
    said = dry(seen, {**SPEC, "video": {"style": "gone", "duration": 2}})
    assert said["timeline"] is None
    assert "cannot be made" in said["warnings"][0]
    assert "gone" in said["warnings"][0]


def test_a_wrong_request_is_refused_as_ever(seen: House) -> None:
    answer = seen.client.post("/v1/generate?dry_run=1", json={"video": {"style": "nowhere", "sped": 1}})
    assert {error["field"] for error in answer.json()["errors"]} == {"video.style", "video.sped"}


def test_there_are_not_too_many_in_a_minute(house: House) -> None:
    now = house.services.now()
    with opened(replace(house.services, now=lambda: now), []) as still:
        for _ in range(60):
            dry(still, {})
        refused = still.client.post("/v1/generate?dry_run=1", json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "60 dry runs a minute" in refused.json()["message"]
        assert still.stranger.post("/v1/generate?dry_run=1", json={}).status_code == 200
        assert still.client.post("/v1/generate", json={}).status_code == 202, "jobs have their own count"


def test_no_dry_run_is_a_job(seen: House) -> None:
    assert seen.client.post("/v1/generate?dry_run=0", json=SPEC).status_code == 202
    assert seen.views.waiting() == 1


def test_nothing_heavy_is_loaded_for_it() -> None:
    code = "import sys, daemon.web.dry_run; print([n for n in ('PIL', 'numpy', 'cv2', 'huey') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
