"""What is wrong with a server or a wish is said in one sentence each, before anything is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.commands.install.facts import Facts
from daemon.commands.install.plan import Sources, environments, install, site
from daemon.commands.install.wishes import Wishes, problems

GOOD = Wishes(repo="https://github.com/owner/name")
SOURCES = Sources({}, {"vix-local.conf": "listen @PORT@;\nlisten [::]:@PORT@;\n"}, "", "deploy.sh")


@pytest.mark.parametrize(
    ("facts", "wishes", "says"),
    [
        ({"is_root": False}, {}, "sudo ./vix install"),
        ({"family": "fedora"}, {}, "fedora"),
        ({"has_systemd": False}, {}, "systemd"),
        ({"memory_mb": 400}, {}, "400 MB"),
        ({"free_mb": 900}, {}, "900 MB free"),
        ({"listening": {8088: "python3"}}, {}, "8088 is taken by python3"),
        ({"listening": {443: "apache2"}}, {"domain": "a.example"}, "443 is taken by apache2"),
        ({"faulty": ("/etc/vix/secret",)}, {}, "/etc/vix/secret"),
        ({}, {"domain": "localhost"}, "--domain"),
        ({}, {"domain": "a b.example"}, "--domain"),
        ({}, {"domain": "a.example;x"}, "--domain"),
        ({}, {"repo": ""}, "--repo"),
        ({}, {"repo": "--upload-pack=x/y"}, "--repo"),
        ({}, {"repo": "https://me:word@github.com/owner/name"}, "password"),
        ({}, {"repo": "https://github.com/"}, "OWNER/NAME"),
        ({}, {"branch": "a..b"}, "--branch"),
    ],
)
def test_problems(facts: dict[str, Any], wishes: dict[str, Any], says: str) -> None:
    (found,) = problems(replace(GOOD, **wishes), Facts(**facts))
    assert says in found
    assert "\n" not in found


def test_no_problems() -> None:
    for wishes in (GOOD, replace(GOOD, domain="films.example.org")):
        assert problems(wishes, Facts(listening={80: "nginx", 443: "nginx", 22: "sshd"})) == []
    assert problems(GOOD, Facts(free_mb=900, is_live=True)) == []


@pytest.mark.parametrize(
    ("repo", "name"),
    [
        ("https://github.com/owner/name", "owner/name"),
        ("https://github.com/owner/name.git", "owner/name"),
        ("git@github.com:owner/name.with.dots.git", "owner/name.with.dots"),
        ("ssh://git@github.com/owner/name/", "owner/name"),
    ],
)
def test_the_name_of_a_repository(repo: str, name: str) -> None:
    assert replace(GOOD, repo=repo).repository == name


def test_a_private_repository_gets_a_deploy_key_before_it_is_asked() -> None:
    wishes = replace(GOOD, repo="git@github.com:owner/name.git")
    steps = [str(step) for step in install(wishes, Facts(), SOURCES)]
    order = [
        next(at for at, step in enumerate(steps) if word in step) for word in ("ssh-keygen", "ls-remote", "deploy.sh")
    ]
    assert order == sorted(order)
    assert (
        "GIT_SSH_COMMAND=ssh -oBatchMode=yes -i /etc/vix/deploy-key"
        in environments(wishes, Facts())["/etc/vix/deploy.env"]
    )


def test_a_machine_without_ipv6_is_not_asked_for_it() -> None:
    assert site(GOOD, Facts(has_ipv6=False), SOURCES) == "listen 8088;\n"
