"""Two who are at the same thing: threads, workers, people, clocks that jump. Nothing is lost, done twice or stuck."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.accounts.life import AccountState
from daemon.deliveries.life import Delivery, State
from daemon.errors import StoreError
from daemon.jobs import Status
from daemon.store.accounts import Found
from daemon.store.database import Database
from daemon.store.retention import RetentionStore
from daemon.store.tables import AccountRow, CallbackRow, DeliveryRow
from daemon.store.vault import VaultStore
from daemon.vault import KeyFile, Vault
from tests.daemon.conftest import MovableClock
from tests.daemon.outbox import LANDSCAPE, SETTLE_S, Outbox, outbox
from tests.fakes.facebook import Asked, Reply

_DAY_S = 86_400


@pytest.fixture
def box(vix_database: Database, movable_clock: MovableClock, tmp_path: Path) -> Iterator[Outbox]:
    with outbox(vix_database, movable_clock, tmp_path) as found:
        yield found


def is_finish(asked: Asked) -> bool:
    return asked.params.get("upload_phase") == "finish"


def lose_the_answer(box: Outbox, *, taken: bool) -> None:
    """Leave what is sent next without an answer."""
    if taken:
        box.far.drop_answers_of.append("finish")
    else:
        broken = [Reply(0, "", drop=True)]
        box.far.script = lambda asked: broken.pop() if is_finish(asked) and broken else None


def told(box: Outbox) -> list[str]:
    with box.database.read() as connection:
        rows = list(CallbackRow.select().order_by(CallbackRow.created_at).execute(connection))
    return [row.type for row in rows if row.type.startswith("token.")]


def test_a_clock_that_jumps_does_not_take_an_order_from_its_own_sender(
    box: Outbox, movable_clock: MovableClock
) -> None:
    """A machine that was asleep: the lease is over, and the one who sends is still at it."""
    job = box.post()
    second = box.post()
    taken: list[Delivery | None] = []

    def script(asked: Asked) -> Reply | None:
        if is_finish(asked) and not taken:
            movable_clock.step(3600)
            taken.append(box.dispatch.claim())
        return None

    box.far.script = script
    box.turns()
    assert taken == [None]
    assert box.states(job) == box.states(second) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1, 1]


def test_what_could_not_be_written_is_found_again_by_the_same_worker(box: Outbox, movable_clock: MovableClock) -> None:
    job = box.post()

    # The writer's lock belongs to whoever took it last, so let a thread of its own hold it.
    begin, end = threading.Event(), threading.Event()

    def hold() -> None:
        begin.wait(10)
        with box.database.write():
            began.set()
            end.wait(10)

    began = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()

    def busy(asked: Asked) -> Reply | None:
        if is_finish(asked):
            begin.set()
            began.wait(10)
        return None

    box.far.script = busy
    with pytest.raises(StoreError):
        box.turn()
    end.set()
    thread.join()
    assert box.states(job) == [State.SENDING]
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    assert [video.posts for video in box.far.posts] == [1]


def test_an_order_whose_page_is_disconnected_waits_for_a_person(box: Outbox, movable_clock: MovableClock) -> None:
    """Nobody can ask any more what came of it; it must not stay `sending` for ever."""
    job = box.post()
    lose_the_answer(box, taken=True)
    box.turns()
    assert box.states(job) == [State.SENDING]
    box.accounts.remove(box.accounts.list()[0].id)
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.UNKNOWN]
    box.deliveries.resolve(box.jobs.get(job.id).deliveries[0].id, None, State.DONE)
    assert box.jobs.get(job.id).status is Status.DONE


def test_a_post_whose_page_is_disconnected_meanwhile_is_done(box: Outbox, movable_clock: MovableClock) -> None:
    box.far.processing_s = 600
    job = box.post()
    box.turn()
    assert box.states(job) == [State.ACCEPTED]
    box.accounts.remove(box.accounts.list()[0].id)
    movable_clock.move(60)
    box.turns()
    done = box.jobs.get(job.id)
    assert done.status is Status.DONE
    assert "not connected any more" in done.deliveries[0].warnings[-1]


def test_what_waits_for_a_page_that_is_disconnected_goes_out_with_it(box: Outbox) -> None:
    job = box.post()
    box.accounts.remove(box.accounts.list()[0].id)
    assert box.turn() is None
    assert box.states(job) == [State.HELD]
    box.connect("EAAnew" + "2" * 40)
    box.turns()
    assert box.states(job) == [State.DONE]


@pytest.mark.parametrize("what", ["pause", "sent", "due"])
def test_a_clock_that_was_a_year_ahead_holds_nothing_up(box: Outbox, movable_clock: MovableClock, what: str) -> None:
    (account,) = box.accounts.list()
    movable_clock.step(365 * _DAY_S)
    if what == "pause":
        box.accounts.pause(account.id, movable_clock() + timedelta(minutes=15))
    elif what == "sent":
        for _ in range(30):
            box.post()
        box.turns(100)
        box.far.most_reels_a_day = 100  # its own clock was right
    job = box.post()
    movable_clock.step(-365 * _DAY_S)
    if what == "pause":
        later = box.post()
        box.turns()
        assert box.states(later) == [State.DONE]
    box.deliveries.tidy()
    box.turns(100)
    assert box.states(job) == [State.DONE]


def test_a_time_that_was_asked_for_is_kept_whatever_the_clock_said(box: Outbox, movable_clock: MovableClock) -> None:
    movable_clock.step(30 * _DAY_S)
    job = box.post({"facebook": {"at": (movable_clock() + timedelta(days=5)).isoformat(timespec="seconds")}})
    movable_clock.step(-30 * _DAY_S)
    box.deliveries.tidy()
    box.turns()
    assert box.states(job) == [State.READY]


@pytest.mark.parametrize("harm", ["result", "remote"])
def test_a_row_that_cannot_be_understood_comes_to_an_end(box: Outbox, movable_clock: MovableClock, harm: str) -> None:
    job = box.post(result={**LANDSCAPE, "width": None} if harm == "result" else LANDSCAPE)
    if harm == "remote":
        with box.database.write() as connection:
            DeliveryRow.update(remote={"as": "hologram"}).execute(connection)
    for _ in range(24 * 8):
        box.turns()
        movable_clock.move(3600)
    assert box.jobs.get(job.id).status is Status.FAILED


def test_a_cancelled_job_is_kept_while_nobody_knows_what_came_of_its_order(
    box: Outbox, movable_clock: MovableClock
) -> None:
    job = box.post()
    lose_the_answer(box, taken=True)
    box.turns()
    box.jobs.cancel(job.id)
    retention = RetentionStore(box.database, movable_clock)
    soon = movable_clock() + timedelta(seconds=1)
    retention.forget_films(retention.films(soon))
    assert retention.count_jobs(soon) == retention.remove_jobs(soon) == 0
    movable_clock.move(SETTLE_S + 1)
    box.turns()
    assert box.states(job) == [State.DONE]
    with box.database.write() as connection:  # the operator was told
        CallbackRow.delete().execute(connection)
    assert retention.remove_jobs(movable_clock() + timedelta(seconds=1)) == 1
    with box.database.read() as connection:
        assert DeliveryRow.select().count(connection) == 0


# -- accounts ---------------------------------------------------------------------------------------------------------


def test_two_who_look_at_the_same_time_tell_once(box: Outbox, movable_clock: MovableClock) -> None:
    """Two workers on two machines."""
    movable_clock.move(88.5 * _DAY_S)
    (account,) = box.accounts.list()
    box.watch.look(account)
    movable_clock.move(1)
    box.watch.look(account)
    assert told(box) == ["token.expiring"]


def test_a_look_that_was_overtaken_by_a_death_holds_nothing_for_ever(box: Outbox, movable_clock: MovableClock) -> None:
    (account,) = box.accounts.list()
    job = box.post()

    def script(asked: Asked) -> Reply | None:
        if asked.path.endswith("/debug_token") and box.accounts.list()[0].state is AccountState.OK:
            box.accounts.died(account, "It was refused.", None, refused=True)
        return None

    box.far.script = script
    movable_clock.move(_DAY_S)
    box.watch.look(account)
    box.far.script = None
    assert box.accounts.list()[0].state is AccountState.DEAD
    assert box.states(job) == [State.HELD]
    movable_clock.move(1)
    box.watch.look(box.accounts.list()[0])
    box.turns()
    assert box.states(job) == [State.DONE]


def connect_again(box: Outbox, clock: MovableClock, **secrets: str) -> None:
    """What an operator's connecting writes."""
    (account,) = box.accounts.list(removed=True)
    clock.move(1)
    box.vault.put(account.id, {**(box.vault.get(account.id) or {}), **secrets})
    found = Found(account.remote_id, account.name, account.about, None, None)
    box.accounts.connect(account.id, "facebook", found)


def test_a_token_that_was_replaced_while_the_old_one_was_refused_stays_good(
    box: Outbox, movable_clock: MovableClock
) -> None:
    job = box.post()

    def script(asked: Asked) -> Reply | None:
        if asked.method != "POST":
            return None
        box.far.script = None
        connect_again(box, movable_clock)
        return Reply(400, {"error": {"code": 190, "error_subcode": 463, "message": "expired"}})

    box.far.script = script
    box.turns()
    assert box.accounts.list()[0].state is AccountState.OK
    assert box.states(job) == [State.DONE]
    assert box.alarms() == []


def test_a_renewal_does_not_overwrite_what_a_person_has_just_connected(
    box: Outbox, movable_clock: MovableClock
) -> None:
    (account,) = box.accounts.list()
    movable_clock.move(35 * _DAY_S)

    def script(asked: Asked) -> Reply | None:
        if asked.params.get("grant_type") == "fb_exchange_token":
            box.far.script = None
            connect_again(box, movable_clock, user_token="EAAnewest", token="EAAnewestpage")
        return None

    box.far.script = script
    box.watch.run()
    kept = box.vault.get(account.id)
    assert kept is not None
    assert (kept["token"], kept["user_token"]) == ("EAAnewestpage", "EAAnewest")
    assert told(box) == []


def test_a_secret_that_is_put_while_keys_are_changed_opens_afterwards(vix_database: Database, tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "vault.key")
    Vault(VaultStore(vix_database), file.read).put("acc_1", {"token": "old"})

    def rotate() -> None:
        with suppress(StoreError):
            file.add()
            Vault(VaultStore(vix_database), file.read).reseal()
            file.keep_first()

    def read_slowly() -> Sequence[str]:
        keys = file.read()
        thread = threading.Thread(target=rotate)
        thread.start()
        thread.join(2)
        return keys

    Vault(VaultStore(vix_database), read_slowly).put("acc_1", {"token": "new"})
    assert Vault(VaultStore(vix_database), file.read).get("acc_1") == {"token": "new"}


def test_two_who_connect_the_same_new_page_make_one_account(
    vix_database: Database, movable_clock: MovableClock, tmp_path: Path
) -> None:
    with outbox(vix_database, movable_clock, tmp_path) as box:
        ids = [box.accounts.id_for("facebook", "77"), box.accounts.id_for("facebook", "77")]
        for account_id in ids:
            box.accounts.connect(account_id, "facebook", Found("77", "New", {}, None, None))
        with box.database.read() as connection:
            assert AccountRow.select().where(AccountRow.remote_id == "77").count(connection) == 1
