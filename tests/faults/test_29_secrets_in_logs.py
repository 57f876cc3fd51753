"""Row 29: a service that is asked all sorts of things, with every secret a canary, lets none of them out."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet

from tests.canaries import found_in
from tests.e2e.service import Service, eventually, make_library, service
from tests.fakes.facebook import APP_ID, APP_SECRET, facebook
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


def test_no_secret_of_an_account_gets_out(tmp_path: Path, library: Path) -> None:
    """A page is connected, wrongly and rightly, films are published on it, its token dies, and an alarm is sent."""
    password, master, vault_key = canary(), canary(), Fernet.generate_key().decode()
    with facebook() as far, n8n() as channel, service(
        tmp_path / "s", library, facebook_url=far.url, vault_key=vault_key, log_level="DEBUG",
        alert_urls=f"json://alarm:{password}@127.0.0.1:{channel.port}/hook", master_key=master,
    ) as run:  # fmt: skip
        run.start_api()
        run.start_worker()
        token, said = far.user_token("EAAuser" + secrets.token_hex(16)), []

        def command(*words: str, typed: str = "") -> str:
            done = run.command(*words, stdin=typed)
            said.append(f"{words} {done.stdout} {done.stderr}")
            return done.stdout

        command("accounts", "add", "facebook", "--app-id", APP_ID, typed=f"{token}\nwrong-{APP_SECRET}\n")
        command("accounts", "add", "facebook", "--app-id", "999", typed=f"{token}\n{APP_SECRET}\n")
        assert "Page 1" in command("accounts", "add", "facebook", "--app-id", APP_ID, typed=f"{token}\n{APP_SECRET}\n")
        said += connect_over_http(run, master, token)
        spec = {"video": {"duration": 4}, "output": {"width": 540, "height": 960}, "publish": {"facebook": {}}}
        first = run.submit(spec)["job_id"]
        assert run.ended(first)["status"] == "done"
        for known in far.tokens.values():
            known.dead = (190, 460)
        second = run.submit(spec)["job_id"]
        eventually(lambda: run.status(second)["deliveries"][0]["state"] == "held", "the film is held")
        eventually(lambda: channel.heard, "the alarm is told")
        for words in ("accounts list", "accounts test", "deliveries list", "doctor", "alert a b"):
            command(*words.split())
        for path in (f"/v1/status/{second}", f"/v1/jobs/{first}/events", f"/v1/jobs/{second}/events", "/health"):
            said.append(run.request("GET", path).text)
        run.stop("api")
        run.stop("worker")
        logged = run.log("api") + run.log("worker")
        stored = b"".join(path.read_bytes() for path in run.data.glob("vix.db*"))
    assert [video.posts for video in far.posts] == [1]
    assert "password was changed" in "".join(said)
    assert "cannot be published on" in channel.heard[0].body.decode()
    for name, text in {"log": logged, "answers": "".join(said), "database": stored.decode("latin-1")}.items():
        assert found_in(text, far.tokens if name == "database" else None) == "", name
        for secret in (password, master, vault_key):
            assert secret not in text, name


def connect_over_http(run: Service, master: str, token: str) -> list[str]:
    """Connect pages as the page for it does, wrongly and rightly, by a token and by logging in; what was answered."""
    said: list[str] = []

    def ask(method: str, path: str, **options: object) -> httpx2.Response:
        answer = run.request(method, path, headers={"X-Master-Key": master}, **options)
        said.append(f"{answer.status_code} {answer.text}")
        return answer

    app = {"app_id": APP_ID, "app_secret": APP_SECRET}
    for body in (
        {"token": token, **app, "app_secret": f"wrong-{APP_SECRET}"},
        {"token": f"{token} x", **app},
        {"token": [token], "app_id": APP_SECRET, "app_secret": {"a": APP_SECRET}},
    ):
        assert ask("POST", "/admin/accounts", json=body).status_code == 422
    (page,) = ask("POST", "/admin/accounts", json={"token": token, **app}).json()["items"]
    begun = ask("POST", "/admin/accounts/facebook/connect", json=app)
    back = httpx2.get(begun.json()["login_url"], trust_env=False).headers["location"]
    path = "/admin/accounts/facebook/connect?" + back.partition("?")[2]
    word = begun.headers["set-cookie"].partition("=")[2].partition(";")[0]
    for cookie, status in (("x", 401), (word, 200), (word, 401)):
        answer = run.request("GET", path, headers={"Cookie": f"vix_login={cookie}"})
        assert answer.status_code == status
        said.append(answer.text)
        assert word not in answer.text
    for method, where in (("GET", ""), ("POST", f"/{page['id']}/test")):
        assert ask(method, f"/admin/accounts{where}").status_code == 200
    assert ask("GET", "/admin/audit").status_code == 200
    return said
