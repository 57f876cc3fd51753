"""Pushes and releases of every bad kind: at most two deploys for many pushes, and what served goes on serving.

The real hook, the real `deploy.sh`, a real bare repository; releases of a few lines and a stand-in for systemctl."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployhook.yard import LONG_S, Yard, open_yard, push_payload
from tests.processes import comes

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("git", "curl", "setpriv", "flock")),
    reason="git, curl, setpriv and flock are needed to deploy",
)
DISK_MB = 24
ROLLBACK_S = 60.0


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A first release is live."""
    with open_yard(tmp_path) as yard:
        yard.deploy()
        yield yard


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Yard]:
    """The same, with a file system of a few megabytes for everything that a deploy writes."""
    base = tmp_path / "disk"
    base.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(base)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("A small disk can only be made by root, where mounting is allowed.")
    try:
        with open_yard(tmp_path, base) as yard:
            yard.deploy()
            yield yard
    finally:
        subprocess.run(["umount", "--lazy", str(base)], check=True)


def serves(yard: Yard, commit: str) -> bool:
    return yard.live() == commit and yard.serving() == commit


def test_fifty_pushes_are_two_deploys_and_the_last_one_is_live(tmp_path: Path) -> None:
    apart_s = 10
    with open_yard(tmp_path, APART_S=str(apart_s)) as yard:
        yard.deploy()
        (yard.state / "begun").unlink()  # the first of the fifty follows nobody
        before = len(yard.restarts())
        commits = [yard.commit() for _ in range(50)]
        with yard.hook() as hook, yard.path_unit() as codes:
            began = time.monotonic()
            slowest_s = 0.0
            for commit in commits:
                yard.git("push", "-q", "origin", f"{commit}:refs/heads/main")
                asked = time.monotonic()
                assert hook.send(push_payload(commit)).status == 202
                slowest_s = max(slowest_s, time.monotonic() - asked)
            took_s = time.monotonic() - began
            assert comes(lambda: yard.serving() == commits[-1], LONG_S), yard.log()
            assert comes(lambda: all(one["outcome"] == "done" for one in hook.status()["deliveries"]), LONG_S)
        deploys = len(yard.restarts()) - before
        print(f"50 pushes in {took_s:.1f} s: {deploys} deploys; the slowest answer took {slowest_s * 1000:.0f} ms")
        # A machine that is too busy to push fifty times in ten seconds gets another deploy for each ten.
        assert deploys <= 2 + took_s // apart_s
        assert (yard.live(), set(codes)) == (commits[-1], {0})


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("crash", "is not healthy after"),
        ("unhealthy", "database: broken"),
        ("no-worker", "worker: none runs"),
        ("bad-prepare", "Its environment cannot be set up"),
        ("bad-help", "Its commands do not work"),
    ],
)
def test_a_bad_release_changes_nothing(yard: Yard, flag: str, sentence: str) -> None:
    first = yard.live()
    bad = yard.push(flag)
    began = time.monotonic()
    yard.deploy(code=1)
    assert serves(yard, first)
    assert time.monotonic() - began < ROLLBACK_S
    record = yard.last()
    assert (record["outcome"], record["commit"], record["from"]) == ("failed", bad, first)
    assert sentence in record["reason"]
    assert f"the deploy of {bad[:12]} failed, {first[:12]} serves on | " in yard.alerts()
    assert record["reason"] in yard.alerts()
    assert yard.leftovers() == []
    assert not (yard.base / "releases" / bad).exists()
    # It is not the end: the next push is deployed.
    good = yard.push()
    yard.deploy()
    assert serves(yard, good)


def test_a_release_that_dies_soon_after_its_start_goes_back(tmp_path: Path) -> None:
    with open_yard(tmp_path, STEADY_S="2") as yard:
        yard.deploy()
        first = yard.live()
        yard.push("dies-soon")
        yard.deploy(code=1)
        assert serves(yard, first)


def test_a_first_release_that_is_bad_is_tried_again_and_replaced(tmp_path: Path) -> None:
    with open_yard(tmp_path, HEALTH_S="1") as yard:
        bad = yard.push("unhealthy")
        for _ in range(2):
            yard.deploy(code=3)
            assert (yard.live(), yard.last()["outcome"]) == (bad, "broken")
        assert yard.restarts() == [bad, bad]
        good = yard.push()
        yard.deploy()
        assert serves(yard, good)


def test_where_neither_is_healthy_the_operator_is_told_so(yard: Yard) -> None:
    first = yard.live()
    server = yard.base / "current" / "server.py"
    server.write_text("raise SystemExit('it broke meanwhile')")
    yard.push("crash")
    yard.deploy(code=3)
    assert yard.last()["outcome"] == "broken"
    assert f"{first[:12]} does not serve either" in yard.alerts()


def test_killed_at_any_moment_the_next_run_starts_clean(yard: Yard) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    began = time.monotonic()
    yard.push()
    yard.deploy()
    whole_s = time.monotonic() - began
    for _ in range(8):
        yard.push()
        with yard.start() as process:
            time.sleep(chance.uniform(0, whole_s))
            # Alone, as the kernel does where memory is short, or with all that it has started.
            if chance.random() < 0.5:
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        yard.live()  # which is whole
    tip = yard.push()
    yard.deploy()
    assert serves(yard, tip)
    assert yard.leftovers() == []
    outcomes = [record["outcome"] for record in yard.records()]
    assert "running" not in outcomes
    assert yard.deploy("--status").startswith(f"live: {tip}\n")


@pytest.mark.parametrize("step", ["prepare", "switch"])
def test_killed_in_the_long_steps(yard: Yard, step: str) -> None:
    first = yard.live()
    bad = yard.push("slow-prepare" if step == "prepare" else "unhealthy")
    with yard.start() as process:
        assert comes(lambda: yard.last()["step"] == step)
        assert step == "prepare" or comes(lambda: yard.live() == bad)
        process.kill()
    assert yard.live() == (first if step == "prepare" else bad)
    # The hook finds what nobody has ended, although the link may point to the branch's tip.
    with yard.hook(EVERY_S="1"), yard.path_unit() as codes:
        assert comes(lambda: len(codes) > 0, LONG_S)
        assert comes(lambda: yard.last()["outcome"] in ("done", "failed"), LONG_S)
    assert serves(yard, bad if step == "prepare" else first), yard.log()
    assert yard.records()[-2]["outcome"] == "interrupted"
    assert yard.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_in_the_middle_it_goes_back(yard: Yard, number: int) -> None:
    first = yard.live()
    yard.push("unhealthy")
    with yard.start() as process:
        assert comes(lambda: yard.last()["step"] == "switch" and yard.live() != first)
        os.kill(process.pid, number)
        process.communicate(timeout=LONG_S)
    assert process.returncode == 1
    assert serves(yard, first)
    assert yard.last()["outcome"] == "interrupted"
    assert yard.leftovers() == []


def test_a_disk_that_fills_during_a_deploy(small_disk: Yard) -> None:
    yard = small_disk
    first = yard.live()
    yard.push("big-prepare")
    yard.deploy(code=1)
    assert serves(yard, first)
    assert yard.leftovers() == []
    assert shutil.disk_usage(yard.base).free > DISK_MB * 2**20 // 2
    good = yard.push()
    yard.deploy()
    assert serves(yard, good)


def test_a_disk_that_is_full_before(small_disk: Yard) -> None:
    """Not even the record of the deploy can be written; afterwards it is made up for without anybody's doing."""
    yard = small_disk
    first = yard.live()
    with yard.hook(EVERY_S="1", STATE=str(yard.folder)) as hook:
        request = yard.folder / "request"
        (yard.base / ".env").write_text((yard.base / ".env").read_text() + f"VIX_DEPLOY_REQUEST={request}\n")
        fill(yard.base / "ballast")
        tip = yard.push()
        assert hook.send(push_payload(tip)).status == 202
        yard.deploy(code=1)
        assert serves(yard, first)
        (yard.base / "ballast").unlink()
        for _ in range(20):
            if comes(request.exists, 10):
                yard.deploy()
            if yard.serving() == tip:
                break
        assert serves(yard, tip)


def fill(path: Path) -> None:
    """Leave not a byte."""
    with open(path, "wb", buffering=0) as ballast:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                continue
    for number in range(10_000):
        try:
            (path.parent / f"inode-{number}").write_bytes(b"x")
        except OSError:
            break


def test_a_delivery_that_failed_is_delivered_again(yard: Yard) -> None:
    first = yard.live()
    (yard.base / "flaky").touch()
    tip = yard.push("flaky-prepare")
    body = push_payload(tip)
    with yard.hook(EVERY_S="1") as hook, yard.path_unit() as codes:
        assert hook.send(body, delivery="delivery-1").status == 202
        assert comes(lambda: codes == [1], LONG_S)
        assert serves(yard, first)
        time.sleep(2.5)  # two looks at the remote, none of which tries it again
        assert codes == [1]
        (yard.base / "flaky").unlink()
        assert hook.send(body, delivery="delivery-1").status == 202
        assert comes(lambda: codes == [1, 0], LONG_S)
        assert serves(yard, tip)
        answer = hook.send(body, delivery="delivery-1")
        assert (answer.status, answer.body["status"]) == (200, "done")
        time.sleep(0.5)
        assert codes == [1, 0]


def test_a_replay_of_an_old_push_installs_nothing_old(yard: Yard) -> None:
    old = yard.live()
    tip = yard.push()
    with yard.hook() as hook, yard.path_unit() as codes:
        assert comes(lambda: yard.serving() == tip, LONG_S)
        assert hook.send(push_payload(old)).status == 202
        assert comes(lambda: len(codes) == 2, LONG_S)
        assert serves(yard, tip)


def test_the_hook_restarted_during_a_deploy(yard: Yard) -> None:
    tip = yard.push("slow-prepare")
    with yard.path_unit() as codes:
        with yard.hook() as hook:
            assert hook.send(push_payload(tip), delivery="delivery-1").status == 202
            assert comes(lambda: yard.last()["step"] == "prepare")
            hook.process.kill()
        with yard.hook() as hook:
            answer = hook.send(push_payload(tip), delivery="delivery-1")
            assert (answer.status, answer.body["status"]) == (200, "pending")
            assert comes(lambda: yard.serving() == tip, LONG_S)
            assert comes(lambda: hook.status()["deliveries"][0]["outcome"] == "done")
            shown = [one for one in hook.status()["deploys"] if one["asked_by"]]
            assert shown[-1]["asked_by"][0]["pusher"] == "somebody"
            assert "is live." in "\n".join(shown[-1]["log_tail"])
        assert set(codes) == {0}
    assert yard.restarts().count(tip) == 1


def test_a_push_during_a_deploy_is_deployed_after_it(yard: Yard) -> None:
    first = yard.push("slow-prepare")
    with yard.hook() as hook, yard.path_unit():
        assert hook.send(push_payload(first)).status == 202
        assert comes(lambda: yard.last()["step"] == "prepare")
        second = yard.push()
        assert hook.send(push_payload(second)).status == 202
        assert comes(lambda: yard.serving() == second, LONG_S)
    assert list(yard.restarts()[1:]) == [first, second]


def test_a_push_that_was_missed_is_found_at_the_start(yard: Yard) -> None:
    tip = yard.push()
    with yard.hook(EVERY_S="86400"), yard.path_unit() as codes:
        assert comes(lambda: yard.serving() == tip, LONG_S)
        assert comes(lambda: codes == [0])


def test_two_at_once_by_hand_are_one_after_the_other(yard: Yard) -> None:
    tip = yard.push("slow-prepare")
    with yard.start() as first:
        assert comes(lambda: yard.last()["step"] == "prepare")
        with yard.start() as second:
            said, _ = second.communicate(timeout=LONG_S)
        first.communicate(timeout=LONG_S)
    assert (first.returncode, second.returncode) == (0, 0)
    assert said.startswith("Waiting for another deploy...")
    assert "is live already" in said
    assert yard.restarts().count(tip) == 1


def test_the_service_does_not_keep_the_lock(yard: Yard) -> None:
    """What a restart leaves running would otherwise stop every later deploy."""
    with open(yard.state / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
