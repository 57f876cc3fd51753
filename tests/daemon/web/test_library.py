"""What can be asked for by name."""

from __future__ import annotations

from tests.daemon.web.house import House


def test_styles_and_tracks_are_listed(shared: House) -> None:
    answer = shared.client.get("/v1/styles")
    assert answer.status_code == 200
    assert answer.json() == {"items": [{"name": "stars", "clips": 1}, {"name": "waves", "clips": 2}], "next": None}
    answer = shared.client.get("/v1/audio")
    assert answer.json() == {"items": [{"name": "calm", "file": "calm.m4a"}], "next": None}


def test_a_clip_that_comes_later_is_listed_at_once(house: House) -> None:
    (house.data / "library" / "styles" / "stars" / "two.mp4").touch()
    assert house.client.get("/v1/styles").json()["items"][0] == {"name": "stars", "clips": 2}


def test_an_empty_library_is_an_empty_list(house: House) -> None:
    house.empty_library()
    assert house.client.get("/v1/styles").json() == {"items": [], "next": None}
    assert house.client.get("/v1/audio").json() == {"items": [], "next": None}
