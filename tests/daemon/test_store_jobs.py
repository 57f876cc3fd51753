from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import UnknownJob
from daemon.jobs import Claim, Failure, Job, NewJob, Status
from daemon.store.database import Database, open_database
from daemon.store.jobs import JobStore, oldest_waiting
from tests.daemon.conftest import MovableClock, new_job

ODD_TEXTS = ["\ud800", "a\x00b", "😀", "' OR 1=1; --", "\n\t\x7f", '"', "\\u0000", "x" * 10_000]


def claimed(store: JobStore, owner: str = "me") -> Job:
    job = store.claim(owner)
    assert job
    return job


class TestSubmit:
    def test_all_of_it_comes_back(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        new = NewJob(
            "template", {"a": [1, None, 1.5]}, 2**53 - 1, "key1", 12.5, 640 * 360, client_data={"any": ["thing"]}
        )
        job = job_store.submit(new)
        assert job_store.get(job.id) == job
        assert (job.kind, job.spec, job.seed, job.key_id) == (new.kind, new.spec, new.seed, new.key_id)
        assert (job.film_s, job.work, job.client_data) == (12.5, 12.5 * 640 * 360, {"any": ["thing"]})
        assert (job.status, job.stage, job.progress, job.attempt, job.owner) == (Status.IN_QUEUE, "", 0, 0, None)
        assert (job.error, job.result, job.warnings) == (None, None, ())
        assert (job.created_at, job.started_at, job.finished_at) == (movable_clock.time, None, None)

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_odd_texts_come_back(self, job_store: JobStore, text: str) -> None:
        job = job_store.submit(NewJob("template", {text: text}, 1, "key1", 1, client_data=text))
        claim = claimed(job_store).claim
        assert job_store.fail(claim, Failure("odd", text, permanent=True))
        found = job_store.get(job.id)
        assert (found.spec, found.client_data) == ({text: text}, text)
        assert found.error == Failure("odd", text, True)

    @pytest.mark.parametrize("client_data", [None, False, 0, "", [], {}, 10**400, 1e300])
    def test_client_data_is_any_json(self, job_store: JobStore, client_data: Any) -> None:
        job = job_store.submit(replace(new_job(), client_data=client_data))
        assert job_store.get(job.id).client_data == client_data

    def test_it_is_synced_before_it_returns(self, vix_database: Database, job_store: JobStore) -> None:
        with vix_database.read() as connection:
            assert connection.pragma("journal_mode") == "wal"
            assert connection.pragma("synchronous") == 2  # FULL: each commit is synced
            assert connection.pragma("foreign_keys") == 1

    def test_another_process_sees_it_at_once(self, vix_database: Database, job_store: JobStore) -> None:
        job = job_store.submit(new_job())
        script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('select id from job').fetchall())"
        shown = subprocess.run([sys.executable, "-c", script, vix_database.path], capture_output=True, check=True)
        assert job.id in shown.stdout.decode()


class TestGet:
    def test_a_job_that_is_not_there(self, job_store: JobStore) -> None:
        with pytest.raises(UnknownJob):
            job_store.get("job_" + "a" * 20)

    def test_somebody_elses_job_is_like_none(self, job_store: JobStore) -> None:
        job = job_store.submit(new_job(key_id="key1"))
        assert job_store.get(job.id, "key1") == job
        answers = set()
        for job_id in (job.id, "job_" + "a" * 20):
            with pytest.raises(UnknownJob) as caught:
                job_store.get(job_id, "key2")
            answers.add(str(caught.value))
        assert len(answers) == 1


class TestClaim:
    def test_the_oldest_comes_first_and_the_attempt_counts(
        self, job_store: JobStore, movable_clock: MovableClock
    ) -> None:
        first, second = job_store.submit(new_job()), job_store.submit(new_job())
        movable_clock.move(5)
        job = claimed(job_store)
        assert (job.id, job.attempt, job.owner, job.status) == (first.id, 1, "me", Status.RENDERING)
        assert job.started_at == movable_clock.time
        assert job_store.get(first.id) == job
        assert claimed(job_store).id == second.id
        assert job_store.claim("me") is None

    def test_a_clock_set_back_does_not_change_the_order(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        first = job_store.submit(new_job())
        movable_clock.move(-86400)
        job_store.submit(new_job())
        assert claimed(job_store).id == first.id

    def test_a_job_is_given_out_once(self, vix_database: Database, tmp_path: Path) -> None:
        database = open_database(tmp_path / "vix.db")  # with all the patience of the service
        store = JobStore(database)
        submitted = {store.submit(new_job()).id for _ in range(40)}
        start = threading.Barrier(8)

        def take(owner: int) -> list[str]:
            start.wait()
            return [job.id for job in iter(lambda: store.claim(str(owner)), None)]

        with ThreadPoolExecutor(8) as threads:
            given = [job_id for ids in threads.map(take, range(8)) for job_id in ids]
        database.close()
        assert len(given) == 40
        assert set(given) == submitted

    def test_ten_thousand_waiting_are_not_scanned(self, vix_database: Database, job_store: JobStore) -> None:
        last = job_store.submit(new_job())
        fill(vix_database.path, 10_000)
        with vix_database.read() as connection:
            sql, values = oldest_waiting().sql()
            plan = plan_of(connection, sql, values)
        assert "SEARCH" in plan
        assert "job_status_seq_work" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
        assert claimed(job_store).id == last.id

    def test_none_of_the_queries_scans(self, vix_database: Database, job_store: JobStore) -> None:
        fill(vix_database.path, 200)
        seen: list[tuple[str, Any]] = []
        plans = []
        with vix_database.read() as connection:
            raw = connection.connection()
            raw.set_trace_callback(lambda sql: seen.append((sql, ())))
        job = claimed(job_store)
        job_store.line(job_store.submit(new_job()))
        job_store.report(job.claim, stage="render", progress=1)
        job_store.finish(job.claim, {})
        job_store.speeds()
        job_store.reconcile()
        raw.set_trace_callback(None)
        with vix_database.read() as connection:
            for sql, _ in seen:
                if sql.split()[0] in ("SELECT", "UPDATE"):
                    plans.append((sql, plan_of(connection, sql, ())))
        assert len(plans) >= 9
        assert [(sql, plan) for sql, plan in plans if "SCAN" in plan.replace("SCAN CONSTANT ROW", "")] == []


def plan_of(connection: Any, sql: str, values: Any) -> str:
    return "\n".join(row[3] for row in connection.execute_sql("explain query plan " + sql, values))


def fill(path: Path, count: int) -> None:
    """Put many jobs into the queue, faster than by submitting each."""
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("pragma table_info(job)")]
        values = {"seq": "null", "id": "'job_' || value", "status": "'in_queue'", "spec": "'{}'", "warnings": "'[]'"}
        values |= {"client_data": "'null'", "kind": "'template'", "key_id": "'key1'", "stage": "''"}
        nullable = {"owner", "error", "result", "claimed_us", "started_us", "finished_us"}
        row = ", ".join(values.get(name, "null" if name in nullable else "0") for name in columns)
        connection.execute(
            "with recursive numbers(value) as (select 1 union all select value + 1 from numbers where value < ?)"
            f" insert into job select {row} from numbers",
            (count,),
        )


class TestFence:
    """Every write of a worker holds only while the job still carries its claim."""

    WRITES = (
        lambda store, claim: store.report(claim, stage="render", progress=50),
        lambda store, claim: store.finish(claim, {"a": 1}),
        lambda store, claim: store.fail(claim, Failure("a", "b", False)),
        lambda store, claim: store.put_back(claim),
    )

    @pytest.mark.parametrize("write", WRITES)
    def test_the_right_claim_writes(self, job_store: JobStore, write: Any) -> None:
        job_store.submit(new_job())
        assert write(job_store, claimed(job_store).claim) is True

    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda claim: Claim(claim.job_id, claim.attempt + 1, claim.owner),
            lambda claim: Claim(claim.job_id, claim.attempt - 1, claim.owner),
            lambda claim: Claim(claim.job_id, claim.attempt, "somebody else"),
            lambda claim: Claim("job_of_nobody", claim.attempt, claim.owner),
        ],
    )
    def test_another_claim_writes_nothing(self, job_store: JobStore, write: Any, wrong: Any) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        assert write(job_store, wrong(job.claim)) is False
        assert job_store.get(job.id) == job

    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("end", WRITES[1:])
    def test_nothing_is_written_after_the_end(self, job_store: JobStore, write: Any, end: Any) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        assert end(job_store, job.claim)
        before = job_store.get(job.id)
        assert write(job_store, job.claim) is False
        assert job_store.get(job.id) == before

    @pytest.mark.parametrize("write", WRITES)
    def test_a_claim_put_back_does_not_come_alive_again(self, job_store: JobStore, write: Any) -> None:
        job_store.submit(new_job())
        old = claimed(job_store).claim
        job_store.put_back(old)
        again = claimed(job_store, old.owner)  # the same worker, even
        assert write(job_store, old) is False
        assert job_store.get(again.id) == again


class TestEnds:
    def test_progress_is_shown_and_kept_in_bounds(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        for told, shown in ((0, 0), (50, 50), (120, 100), (-3, 0)):
            assert job_store.report(job.claim, stage="render", progress=told)
            found = job_store.get(job.id)
            assert (found.stage, found.progress, found.status) == ("render", shown, Status.RENDERING)

    def test_done(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        movable_clock.move(9)
        assert job_store.finish(job.claim, {"sha256": "ab"}, ("one", "two"))
        found = job_store.get(job.id)
        assert (found.status, found.progress, found.stage) == (Status.DONE, 100, "")
        assert (found.result, found.warnings, found.error) == ({"sha256": "ab"}, ("one", "two"), None)
        assert found.finished_at == movable_clock.time

    def test_failed(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        failure = Failure("bad_media", "clip.mp4 is broken", permanent=True)
        assert job_store.fail(job.claim, failure)
        found = job_store.get(job.id)
        assert (found.status, found.error, found.result) == (Status.FAILED, failure, None)
        assert found.finished_at == movable_clock.time

    def test_put_back_keeps_its_place_and_its_tries(self, job_store: JobStore) -> None:
        first, _ = job_store.submit(new_job()), job_store.submit(new_job())
        for _ in range(5):
            job = claimed(job_store)
            assert job.id == first.id
            job_store.report(job.claim, stage="render", progress=40)
            assert job_store.put_back(job.claim)
            waiting = job_store.get(first.id)
            assert (waiting.status, waiting.progress, waiting.stage) == (Status.IN_QUEUE, 0, "")
        claimed(job_store)
        assert job_store.reconcile(max_attempts=3).put_back == (first.id,)

    def test_a_result_that_is_no_json_changes_nothing(self, job_store: JobStore) -> None:
        job_store.submit(new_job())
        job = claimed(job_store)
        with pytest.raises(TypeError):
            job_store.finish(job.claim, {"path": Path("a")})
        assert job_store.get(job.id) == job


class TestReconcile:
    def test_orphans_go_back_to_their_places(self, job_store: JobStore) -> None:
        first, second = job_store.submit(new_job()), job_store.submit(new_job())
        done = claimed(job_store)
        assert done.id == first.id
        job_store.finish(done.claim, {})
        orphan = claimed(job_store)
        found = job_store.reconcile()
        assert (found.put_back, found.failed) == ((second.id,), ())
        assert job_store.get(first.id).status is Status.DONE
        waiting = job_store.get(second.id)
        assert (waiting.status, waiting.owner, waiting.attempt) == (Status.IN_QUEUE, None, 1)
        assert job_store.finish(orphan.claim, {}) is False
        assert job_store.reconcile().put_back == ()

    def test_what_kills_its_worker_is_given_up(self, job_store: JobStore, movable_clock: MovableClock) -> None:
        poison, next_one = job_store.submit(new_job()), job_store.submit(new_job())
        started = movable_clock.time
        for attempt in (1, 2):
            assert claimed(job_store).attempt == attempt
            assert job_store.reconcile().put_back == (poison.id,)
            movable_clock.move(60)
        assert claimed(job_store).started_at == started
        found = job_store.reconcile()
        assert (found.put_back, found.failed) == ((), (poison.id,))
        job = job_store.get(poison.id)
        assert job.error
        assert (job.status, job.error.code, job.error.permanent) == (Status.FAILED, "worker_died", False)
        assert job.finished_at == movable_clock.time
        assert claimed(job_store).id == next_one.id


class TestLine:
    def test_places_move_up(self, job_store: JobStore) -> None:
        jobs = [job_store.submit(new_job(film_s=10 * n)) for n in (1, 2, 3)]
        assert [job_store.line(job).position for job in jobs] == [1, 2, 3]
        assert job_store.waiting() == 3
        assert job_store.line(jobs[2]).work_ahead == jobs[0].work + jobs[1].work
        running = claimed(job_store)
        assert [job_store.line(job).position for job in jobs[1:]] == [1, 2]
        assert job_store.line(running).position is None
        line = job_store.line(jobs[1])
        assert line.running
        assert (line.running.work, line.running.progress, line.running.elapsed_s) == (jobs[0].work, 0, 0)
        assert job_store.waiting() == 2

    def test_the_running_time_counts_from_the_last_claim(
        self, job_store: JobStore, movable_clock: MovableClock
    ) -> None:
        job_store.submit(new_job())
        job_store.put_back(claimed(job_store).claim)
        movable_clock.move(1000)
        job = claimed(job_store)
        movable_clock.move(3)
        line = job_store.line(job)
        assert line.running
        assert line.running.elapsed_s == 3
