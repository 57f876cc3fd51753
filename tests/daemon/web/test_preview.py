"""`POST /v1/preview`: one picture of a film that is not made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.sources.catalogue import Catalogue, only_known
from daemon.sources.library import Library
from daemon.web.models import Boxes
from render.ffmpeg import FFmpeg
from tests.daemon.material import looked_at, make_library
from tests.daemon.web.house import House, opened, services_at

SPEC: dict[str, Any] = {
    "video": {"style": "rain", "duration": 2},
    "audio": {"audio": "calm"},
    "logo": {"name": "logo.png", "positionxy": ["top", "left"], "margin": [0, 0, 0, 0]},
    "text_overlays": [{"text": "a word\nand \u16a0", "font": "Arial", "font_size": 60, "start_time": 1}],
    "output": {"width": 270, "height": 480},
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, ffmpeg: FFmpeg) -> Iterator[House]:
    """A house whose library was looked at, but for its style snow."""
    data = tmp_path_factory.mktemp("preview")
    library = make_library(data / "seen")
    catalogue = Catalogue(data / "seen.json", looked_at(ffmpeg))
    for clip in sorted((library / "styles").rglob("*.mp4")):
        if clip.parent.name != "snow":
            catalogue.inspection(clip)
    services = replace(services_at(data), library=Library(library), catalogue=only_known(data / "seen.json"))
    with opened(services, []) as house:
        yield house
    services.previews.close()


def look(house: House, spec: dict[str, Any], **query: str) -> np.ndarray[Any, Any]:
    answer = house.client.post("/v1/preview", json=spec, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)


def test_it_is_a_picture_of_that_second(seen: House) -> None:
    before, after = (look(seen, {**SPEC, "seed": 5}, t=t) for t in ("0.9", "1.1"))
    assert before.shape == after.shape == (480, 270, 3)
    text = (slice(220, 260), slice(60, 210))
    assert np.abs(after[text] - before[text]).max() > 100
    assert not seen.client.get("/v1/jobs").json()["items"]


def test_without_a_seed_and_a_second_it_is_the_same_every_time_and_says_which(seen: House) -> None:
    answers = [seen.client.post("/v1/preview", json=SPEC) for _ in range(2)]
    assert {(answer.headers["x-vix-seed"], answer.headers["x-vix-second"]) for answer in answers} == {("0", "1.5")}
    assert answers[0].content == answers[1].content
    same = seen.client.post("/v1/preview?t=1.5", json={**SPEC, "seed": 0})
    assert same.content == answers[0].content


def test_frames_that_a_clip_lacks_are_made_for_it(seen: House) -> None:
    slow = {**SPEC, "video": {**SPEC["video"], "speed": 0.1, "smooth": "flow"}}
    assert look(seen, slow, t="0.7").shape == (480, 270, 3)


def test_boxes_say_where_everything_lies(seen: House) -> None:
    answer = seen.client.post("/v1/preview?boxes=1&t=0.5", json=SPEC)
    assert answer.status_code == 200
    said = Boxes.model_validate(answer.json())
    assert (said.width, said.height, said.second, said.seed) == (270, 480, 0.5, 0)
    logo, text = said.overlays
    assert (logo.kind, logo.is_shown, logo.text) == ("picture", True, None)
    assert (text.kind, text.is_shown, text.from_s, text.to_s) == ("text", False, 1, 2)
    assert text.lines == ["a word", "and \u16a0"]
    assert (text.size_px, text.missing) == (15, ["\u16a0"])
    assert text.fonts == ["Arimo-Regular.ttf"]
    assert text.box.x + text.box.w / 2 == pytest.approx(135, abs=1)
    assert text.box.y + text.box.h / 2 == pytest.approx(240, abs=1)


@pytest.mark.parametrize("second", ["-1", "nan", "inf", "2.001", "1e9", "", "x", "0x1"])
def test_a_second_outside_the_film_is_refused_by_name(seen: House, second: str) -> None:
    answer = seen.client.post("/v1/preview", params={"t": second}, json=SPEC)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["t"]


def test_a_wrong_request_is_refused_as_ever(seen: House) -> None:
    answer = seen.client.post("/v1/preview", json={"video": {"sped": 1}})
    assert [error["field"] for error in answer.json()["errors"]] == ["video.sped"]
    assert seen.client.post("/v1/preview", content=b"{").status_code == 400


def test_clips_that_nobody_has_looked_at_are_said(seen: House) -> None:
    answer = seen.client.post("/v1/preview", json={**SPEC, "video": {"style": "snow", "duration": 2}})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:vix:error:not_looked_at")
    assert '"c.mp4" was not looked at yet' in answer.json()["message"]


def test_a_film_that_cannot_be_made_is_said(seen: House) -> None:
    gone = seen.client.post("/v1/preview", json={**SPEC, "video": {"style": "gone", "duration": 2}})
    assert gone.status_code == 422
    (seen.services.library.root / "logos" / "broken.png").write_bytes(b"none")
    answer = seen.client.post("/v1/preview", json={**SPEC, "logo": {"name": "broken.png"}})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:vix:error:bad_text")
    assert "broken.png" in answer.json()["message"]
    assert str(seen.data) not in answer.text


def test_there_are_not_too_many_in_a_minute(house: House) -> None:
    now = house.services.now()
    with opened(replace(house.services, now=lambda: now), []) as still:
        answers = [still.client.post("/v1/preview", json={}) for _ in range(121)]
        assert [answer.status_code for answer in answers] == [409] * 120 + [429]
        assert "120 previews a minute" in answers[-1].json()["message"]
        assert still.stranger.post("/v1/preview", json={}).status_code == 409
