"""The documentation is made once, whoever asks for it by whatever name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
from starlette.requests import Request

from daemon.web.call import Call
from daemon.web.docs import with_documentation
from daemon.web.door import Door, Parameter
from daemon.web.doors import DOORS
from daemon.web.services import Services
from tests.daemon.web.house import House, services_at


class Counted(tuple[Parameter, ...]):
    """Parameters that know how often they were written down."""

    reads = 0

    def __iter__(self) -> Iterator[Parameter]:
        Counted.reads += 1
        return super().__iter__()


async def shown(door: Door, services: Services, host: str) -> str:
    scope = {"type": "http", "method": "GET", "path": door.path, "headers": [(b"host", host.encode())]}
    call = Call(Request(scope), services, anyio.CapacityLimiter(1), threading.Event())
    return bytes((await door.handler(call)).body).decode()


def test_it_is_made_once_for_all_hosts(tmp_path: Path) -> None:
    services = services_at(tmp_path)
    generate = next(door for door in DOORS if door.path == "/v1/generate")
    counted = replace(generate, manual=replace(generate.manual, parameters=Counted(generate.manual.parameters)))
    doors = with_documentation(counted)[1:]
    for number in range(20):
        for door in doors:
            text = anyio.run(shown, door, services, f"host{number}.example")
            assert f"http://host{number}.example" in text
            assert text.count(".example") == text.count(f"http://host{number}.example") + text.count(".example.org")
    # Once for the document, and once where the page looks for those in the path.
    assert Counted.reads == 1


def test_the_host_stands_where_clients_look_for_it(house: House) -> None:
    said = house.nobody.get("/openapi.json", headers={"host": "films.example:81"}).json()
    assert said["servers"] == [{"url": "http://films.example:81"}]
    page = house.nobody.get("/docs", headers={"host": "films.example:81"}).text
    assert "<code>http://films.example:81</code>" in page
    assert "curl -X POST &#x27;http://films.example:81/v1/generate&#x27;" in page
    assert json.dumps(said).count(".invalid") == page.count(".invalid") == 0
