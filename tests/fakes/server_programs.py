"""The programs of a Debian server, as far as an installation uses them: one script under many names. What each has done
is in a JSON file and in a folder that stands for the server's file system, and every call is written down.

Run as `NAME ARGUMENTS...` through a link of that name; VIX_TEST_YARD names the folder of `state.json` and `calls`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

YARD = Path(os.environ.get("VIX_TEST_YARD", "."))
FRESH: dict[str, Any] = {
    "packages": ["ca-certificates", "git"],
    "users": [],
    "groups": ["www-data"],
    "active": [],
    "enabled": [],
    "ss": "",
    "failing": [],
}


def main(name: str, arguments: list[str]) -> int:
    with (YARD / "calls").open("a") as calls:
        calls.write(" ".join([name, *arguments]).replace("\n", "") + "\n")
    state = json.loads((YARD / "state.json").read_text())
    if name in state["failing"]:
        print(f"{name}: something went wrong")
        return 1
    code = PROGRAMS[name](state, arguments)
    (YARD / "state.json").write_text(json.dumps(state))
    return code


def apt_get(state: dict[str, Any], arguments: list[str]) -> int:
    if "install" in arguments:
        new = [word for word in arguments[arguments.index("install") :] if not word.startswith("-")][1:]
        state["packages"] += new
        if "nginx" in new:
            state["users"].append("www-data")
            state["active"].append("nginx.service")
            sites = YARD / "root/etc/nginx/sites-enabled"
            sites.mkdir(parents=True)
            (sites / "default").write_text("# Debian's\n")
    return 0


def dpkg_query(state: dict[str, Any], arguments: list[str]) -> int:
    print("".join(f"{name} ii \n" for name in arguments if name in state["packages"]), end="")
    return 0


def useradd(state: dict[str, Any], arguments: list[str]) -> int:
    state["users"].append(arguments[-1])
    return 0


def usermod(state: dict[str, Any], arguments: list[str]) -> int:
    state["groups"] += arguments[1].split(",")
    return 0


def id_of(state: dict[str, Any], arguments: list[str]) -> int:
    if arguments == ["-u"]:
        print(0)
        return 0
    if arguments[-1] not in state["users"]:
        return 1
    print(" ".join(state["groups"]) if "-Gn" in arguments else 999)
    return 0


def systemctl(state: dict[str, Any], arguments: list[str]) -> int:
    words = [word if "." in word else f"{word}.service" for word in arguments if not word.startswith("-")]
    verb, units = words[0].removesuffix(".service"), words[1:]
    if verb in ("is-active", "is-enabled"):
        key, other = ("active", "inactive") if verb == "is-active" else ("enabled", "disabled")
        print("\n".join(key if unit in state[key] else other for unit in units))
    elif verb == "enable":
        state["enabled"] += units
    elif verb == "disable":
        for key in ("active", "enabled"):
            state[key] = [unit for unit in state[key] if unit not in units]
    elif verb in ("restart", "reload-or-restart"):
        state["active"] += [unit for unit in units if unit not in state["active"]]
        if "vix-api.service" in units:
            return subprocess.call([str(YARD / "systemctl")])
    return 0


def certbot(state: dict[str, Any], arguments: list[str]) -> int:
    folder = YARD / "root/etc/letsencrypt/live" / arguments[arguments.index("-d") + 1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fullchain.pem").write_text("a certificate")
    return 0


def curl(state: dict[str, Any], arguments: list[str]) -> int:
    """Whatever is asked for: the toy that serves here."""
    return subprocess.call([state["curl"], "--silent", "--max-time", "3", state["health"]])


def say(key: str) -> Callable[[dict[str, Any], list[str]], int]:
    def program(state: dict[str, Any], arguments: list[str]) -> int:
        print(state.get(key, ""))
        return 0

    return program


PROGRAMS: dict[str, Callable[[dict[str, Any], list[str]], int]] = {
    "apt-get": apt_get,
    "certbot": certbot,
    "curl": curl,
    "dpkg-query": dpkg_query,
    "hostname": say("addresses"),
    "id": id_of,
    "nginx": say("nothing"),
    "ss": say("ss"),
    "systemctl": systemctl,
    "useradd": useradd,
    "usermod": usermod,
}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))
