"""Films asked for over HTTP from a running service: the founding request, the queue, the seed, what a result says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from render.ffmpeg import FFmpeg
from render.probe import probe
from tests import media
from tests.e2e.service import OUTPUT, SMALL, Service, eventually

FOUNDING = """
{ "video": { "style": "random", "exposure": 1.0, "brightness": 1.1, "contrast": 1.0, "saturation": 1.2, "fade_in": 0,
  "fade_out": 0, "duration": 15, "speed": 0.5, "blur": 0 }, "audio": { "audio": "random", "volume": 1.0, "fade_in": 2,
  "fade_out": 2 }, "text_overlays": [ { "text": "Hello World", "font": "Arial", "font_size": 30, "font_align": "center",
  "font_color": "white", "start_time": null, "end_time": null, "fade_in": 0.0, "fade_out": 0.0,
  "positionxy": ["center", "center"], "margin": [0, 0, 0, 0] } ], "signature": { "text": "@mychannel", "font": "Arial",
  "font_size": 24, "font_align": "center", "font_color": "white", "opacity": 0.5, "positionxy": ["bottom", "center"],
  "margin": [0, 25, 25, 0] }, "logo": { "name": "logo.png", "size": 150, "positionxy": ["bottom", "center"],
  "margin": [0, 25, 25, 0], "opacity": 1.0 } }
"""


def founding() -> dict[str, Any]:
    """The founding request word for word, but for the size of the film."""
    return {**json.loads(FOUNDING), "output": SMALL}


def test_the_founding_request_becomes_its_film(running: Service, ffmpeg: FFmpeg, tmp_path: Path) -> None:
    submitted = running.submit({**founding(), "output": {**OUTPUT, "quality": "high"}})
    assert re.fullmatch(r"job_[a-z0-9]{20}", submitted["job_id"])
    assert submitted["status"] == "in_queue"
    assert submitted["estimated_time_remaining_s"] > 0
    seen: list[int] = []

    def ended() -> bool:
        job = running.request("GET", submitted["status_url"]).json()
        seen.append(job["progress"])
        return job["finished_at"] is not None

    eventually(ended, "the film is made")
    job = running.ended(submitted["job_id"])
    assert (job["status"], job["progress"], job["error"], job["estimated_time_remaining_s"]) == ("done", 100, None, 0)
    assert seen == sorted(seen)
    assert len({share for share in seen if 0 < share < 100}) >= 2, seen
    result = job["result"]
    info = probe(running.film(job["job_id"]), ffmpeg)
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.width, info.video.height, info.video.frames) == (540, 960, 450)
    assert info.video.rate == 30
    assert abs(info.audio.duration_s - 15) < 0.1
    assert (result["duration_s"], result["width"], result["height"], result["fps"]) == (15, 540, 960, 30)
    assert result["music"] in ("low.wav", "high.wav")
    assert {clip["name"][:-5] for clip in result["clips"]} == {result["style"]}
    thumbnail = running.request("GET", result["thumbnail_url"])
    assert thumbnail.headers["content-type"] == "image/jpeg"
    (tmp_path / "t.jpg").write_bytes(thumbnail.content)
    with Image.open(tmp_path / "t.jpg") as picture:
        assert picture.size == (540, 960)


def test_the_first_overlay_and_the_logo_are_in_the_picture(running: Service) -> None:
    with_logo = {**founding(), "video": {"duration": 1, "style": "lone", "brightness": 0.1}, "audio": {"audio": "none"}}
    frame = media.frames(running.film(running.submit(with_logo)["job_id"]), 180, 320)[15].astype(int)
    # The red logo: 150 x 100 px on the full canvas, 390 px above the lower edge; the margin on the right moves nothing.
    logo = frame[320 - 81 : 320 - 66, 180 // 2 - 12 : 180 // 2 + 8]
    assert logo[..., 0].mean() > 150
    assert logo[..., 1:].mean() < 60
    assert frame[155:165, 60:120].max() > 150, "the words in the middle"


def test_waiting_jobs_know_their_place_and_are_made_in_turn(halted: Service) -> None:
    halted.start_api()
    ids = [halted.submit(seconds=3, output=OUTPUT, seed=number)["job_id"] for number in range(4)]
    jobs = [halted.status(job_id) for job_id in ids]
    assert [job["queue_position"] for job in jobs] == [1, 2, 3, 4]
    estimates = [job["estimated_time_remaining_s"] for job in jobs]
    assert 0 < estimates[0] < estimates[1] < estimates[2] < estimates[3]
    halted.start_worker()
    ended = [halted.ended(job_id) for job_id in ids]
    assert [job["status"] for job in ended] == ["done"] * 4
    assert [job["queue_position"] for job in ended] == [None] * 4
    finished = [job["finished_at"] for job in ended]
    assert finished == sorted(finished), "first come, first served"


def test_wait_holds_the_answer_until_the_film_is_there(running: Service) -> None:
    job = running.status(running.submit()["job_id"], wait_s=60)
    assert job["status"] == "done"


def test_same_seed_same_film_other_seed_other_film(running: Service) -> None:
    def made(seed: int) -> tuple[dict[str, Any], Path]:
        job_id = running.submit(video={"duration": 2, "style": "dots"}, output=SMALL, seed=seed)["job_id"]
        return running.ended(job_id)["result"], running.film(job_id)

    (first, one), (again, two), (other, three) = made(5), made(5), made(6)
    choices = ("style", "music", "clips", "seed")
    assert [first[name] for name in choices] == [again[name] for name in choices]
    assert (media.frames(one, 180, 320) == media.frames(two, 180, 320)).all()
    assert (media.samples(one) == media.samples(two)).all()
    assert first["clips"] != other["clips"]
    pictures = [media.frames(path, 180, 320).astype(int) for path in (one, three)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1


def test_a_film_without_a_seed_says_which_one_it_drew(running: Service) -> None:
    drawn = running.ended(running.submit()["job_id"])["result"]
    again = running.ended(running.submit(seed=drawn["seed"])["job_id"])["result"]
    assert {name: again[name] for name in ("style", "music", "clips")} == {
        name: drawn[name] for name in ("style", "music", "clips")
    }


def test_no_clip_twice_while_others_are_left(running: Service) -> None:
    # Three clips of 3 s at half speed fill 18 s.
    film = {"video": {"duration": 16, "style": "dots"}, "audio": {"audio": "none"}, "output": SMALL}
    job = running.ended(running.submit(film)["job_id"])
    assert sorted(clip["name"] for clip in job["result"]["clips"]) == ["dots0.mp4", "dots1.mp4", "dots2.mp4"]
    assert sum(clip["duration_s"] for clip in job["result"]["clips"]) == pytest.approx(16, abs=0.01)
    assert job["result"]["music"] is None


def test_two_films_at_once_keep_their_client_data(running: Service) -> None:
    ids = [running.submit(client_data={"flow": number})["job_id"] for number in range(2)]
    assert [running.ended(job_id)["client_data"] for job_id in ids] == [{"flow": 0}, {"flow": 1}]


def test_what_can_be_asked_for(running: Service) -> None:
    assert running.request("GET", "/v1/styles").json()["items"] == [
        {"name": "dots", "clips": 3},
        {"name": "lone", "clips": 1},
    ]
    assert {item["name"] for item in running.request("GET", "/v1/audio").json()["items"]} == {"low", "high"}
    health = running.request("GET", "/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok"), health.text


def test_a_film_for_each_quality(running: Service, ffmpeg: FFmpeg) -> None:
    for quality in ("draft", "social", "high"):
        output = {**SMALL, "quality": quality, "fps": 60}
        film = running.film(running.submit(video={"duration": 1}, output=output)["job_id"])
        video = probe(film, ffmpeg).video
        assert video is not None
        assert video.frames == video.rate == 60
