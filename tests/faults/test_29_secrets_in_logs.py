"""Row 29: a service that is asked all sorts of things, with every secret a canary, lets none of them out."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from tests.e2e.service import Service, eventually, make_library, service
from tests.fakes.n8n import N8n, n8n


def canary() -> str:
    """Something that can be found again wherever it turns up."""
    return "canary" + secrets.token_hex(16)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("material") / "library")


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_is_logged_answered_or_stored_where_it_is_not_needed(
    tmp_path: Path, library: Path, style: str
) -> None:
    master, query, header, wrong, text = (canary() for _ in range(5))
    pepper = secrets.token_hex(32)
    with n8n() as far, service(
        tmp_path / "s", library, master_key=master, secret=pepper, private_hosts="127.0.0.1", log_level="DEBUG",
        log_format=style, callback_url=f"{far.url}/operator?token={query}",
    ) as run:  # fmt: skip
        run.start_api()
        run.start_worker()
        answers = ask_everything(run, far, master, query, header, wrong, text)
        eventually(lambda: '"done"' in run.request("GET", answers.callbacks).text, "both ends were told")
        shown = run.command("keys", "list").stdout + run.command("doctor").stdout
        hook = run.command("keys", "webhook", answers.key_id).stdout.strip()
        run.stop("api")
        run.stop("worker")
        logged = run.log("api") + run.log("worker")
        stored = b"".join(path.read_bytes() for path in run.data.glob("vix.db*"))
    assert "job_start" in logged  # it did log
    kept = {"the master key": master, "the pepper": pepper, "a key": run.key, "a wrong key": wrong,
            "the secret part of a key": run.key.rpartition("_")[2], "a webhook secret": hook}  # fmt: skip
    for name, secret in kept.items():
        assert secret not in logged + shown + "".join(answers.texts), name
        assert secret.encode() not in stored, name
    for name, secret in {"a query": query, "a header": header, "a text": text}.items():
        assert secret not in logged + "".join(answers.texts), name
    assert not re.search(r"Traceback|File \"", "".join(answers.texts))


class Answers:
    """What was answered."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.callbacks = ""
        self.key_id = ""


def ask_everything(run: Service, far: N8n, master: str, query: str, header: str, wrong: str, text: str) -> Answers:
    """Good calls and bad ones, each with secrets where callers put them."""
    answers = Answers()

    def ask(method: str, path: str, **options: object) -> str:
        answer = run.request(method, path, **options)
        answers.texts.append(f"{answer.status_code} {dict(answer.headers)} {answer.text if 'mp4' not in path else ''}")
        return answer.text

    spec = {
        "video": {"duration": 1},
        "output": {"width": 180, "height": 320, "quality": "draft"},
        "text_overlays": [{"text": text}],
        "callback_url": f"{far.url}/webhook-waiting/8?signature={query}",
        "callback_headers": {"Authorization": f"Bearer {header}"},
    }
    job_id = run.submit(spec)["job_id"]
    assert run.ended(job_id)["status"] == "done"
    answers.callbacks = f"/v1/jobs/{job_id}/callbacks"
    answers.key_id = run.key.split("_")[1]
    for path in (f"/v1/status/{job_id}", "/v1/jobs", f"/v1/jobs/{job_id}/events", answers.callbacks, "/health"):
        ask("GET", path)
    ask("POST", "/v1/generate", json=spec | {"text_overlays": [{"text": text, "colour": text}]})
    ask("POST", "/v1/generate", content=f'{{"{text}": ')
    ask("POST", "/v1/generate", json=spec | {"callback_url": f"http://169.254.169.254/?x={query}"})
    for key in (wrong, f"catv_abcdefgh_{wrong}", run.key + wrong):
        ask("GET", f"/v1/status/{job_id}?token={query}", headers={"X-Api-Key": key})
    ask("GET", "/v1/jobs", headers={"X-Api-Key": "", "Authorization": f"Basic {wrong}"})
    for path in ("/admin/keys", "/admin/settings", "/admin/jobs", "/admin/audit", "/admin/library"):
        ask("GET", path, headers={"X-Master-Key": master})
        ask("GET", path, headers={"X-Master-Key": wrong})
    return answers
