"""Backups of a service that runs: films in work are not disturbed, and going back loses nothing that was asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.service import Service, eventually, service


def test_jobs_of_a_backup_are_made_after_it_is_restored(halted: Service, tmp_path: Path) -> None:
    run, file = halted, tmp_path / "backup.tar.gz"
    run.start_api()
    run.start_worker()
    first = run.submit()["job_id"]
    assert run.ended(first)["status"] == "done"
    under_way = [run.submit(seconds=4)["job_id"] for _ in range(3)]
    eventually(lambda: run.status(under_way[0])["status"] == "rendering", "a film is being made")
    saved = run.command("backup", str(file), "--with-keys")
    assert saved.returncode == 0, saved.stderr
    refused = run.command("restore", str(file))
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    assert "stop" in refused.stderr
    assert run.status(under_way[0])["status"] != "failed", "it was not disturbed"
    later = run.submit()["job_id"]
    for job_id in [*under_way, later]:
        assert run.ended(job_id)["status"] == "done"
    run.stop("worker")
    assert run.command("restore", str(file)).returncode == 3, "the API is there still"
    run.stop("api")
    run.start_worker()
    assert run.command("restore", str(file)).returncode == 3, "the worker alone is there"
    run.stop("worker")
    restored = run.command("restore", str(file))
    assert restored.returncode == 0, restored.stderr
    run.start_api()
    run.start_worker()
    assert run.request("GET", f"/v1/status/{later}").status_code == 404, "nobody knew of it then"
    assert run.status(first)["status"] == "done"
    for job_id in under_way:
        assert run.ended(job_id)["status"] == "done"
        assert run.film(job_id).stat().st_size > 1000


def test_a_service_elsewhere_goes_on_with_it(halted: Service, library: Path, tmp_path: Path) -> None:
    """As after a fire: nothing but the file is left."""
    file = tmp_path / "backup.tar.gz"
    halted.start_api()
    waiting = [halted.submit()["job_id"] for _ in range(2)]
    assert halted.command("backup", str(file), "--with-keys").returncode == 0
    halted.kill("api")
    shutil.rmtree(halted.data)
    with service(tmp_path / "elsewhere", library) as other:
        assert other.command("restore", str(file)).returncode == 0
        other.key = halted.key
        other.start_api()
        other.start_worker()
        for job_id in waiting:
            assert other.ended(job_id)["status"] == "done"
