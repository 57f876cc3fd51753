"""What must never be read in a log, and what must stay readable."""

from __future__ import annotations

import subprocess
import sys

import pytest

from daemon.redaction import Redactor

SECRET = "S3cr3tS3cr3tS3cr3t"


@pytest.mark.parametrize(
    "text",
    [
        f"key catv_AbCdEfGh_{SECRET} is wrong",
        f"signed with whsec_{SECRET}==",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}",
        f"'X-Master-Key': '{SECRET}'",
        f'{{"x-api-key": "{SECRET}"}}',
        f"b'authorization': b'Bearer {SECRET}'",
        f"access_token={SECRET}&x=1",
        f"GET https://graph.facebook.com/v1/me?access_token={SECRET} 200",
        f"http://127.0.0.1:5678/webhook-waiting/8?signature={SECRET}",
        f"postgresql://vix:{SECRET}@db/vix",
        f"redis://:{SECRET}@queue:6379/0",
        f"X-Amz-Signature={SECRET}",
        f"password = {SECRET}",
        f"sent bearer {SECRET} to it",
        f"known as {SECRET}x",
        f"redis://{SECRET}@queue:6379/0",
        f"postgresql://vix:p@{SECRET}@db/vix",
        f"postgresql://vix@x:{SECRET}@db/vix",
        f"{{'x_api_key': '{SECRET}'}}",
        f"X_Master_Key: {SECRET}",
        f"proxy_authorization={SECRET}",
        f"Set_Cookie: {SECRET}",
        f"private_key={SECRET}",
        f"VIX_MASTER_KEY={SECRET}",
        f'"n8n-webhook-token": "{SECRET}"',
        f"hook_secret: {SECRET}",
        f"X-Hub-Signature: {SECRET}",
        f"db_password={SECRET}",
        f"GET /v1/download/job_1.mp4?expires=1&sig={SECRET} 200",
        f"'/hook?{SECRET}'",
        f"path=/hook?{SECRET}",
        f"wss://push.example/hook?{SECRET}",
    ],
)
def test_secrets_are_hidden(text: str) -> None:
    assert SECRET not in Redactor([SECRET + "x"])(text)


@pytest.mark.parametrize(
    "text",
    [
        "A job starts. action=job_start job=job_abcdefghij0123456789 attempt=2",
        "GET /v1/status/job_1 200",
        "http://127.0.0.1:8080/v1/status/job_1",
        "2026-11-21T09:00:00Z INFO daemon.worker.loop The worker is ready. owner=12ab.77-0011",
        "The key 1a2b3c4d is revoked.",
        "Send the key in a header; tokens: none, and/or? No.",
        "someone@example.org asked for /v1/jobs",
        "monkeys=3 keyframes=30",
        "",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert Redactor(["short"])(text) == text


def test_a_long_line_takes_no_quadratic_time() -> None:
    """A pattern that backtracks would take hours; here a second, in a process that is given a minute."""
    pieces = [
        "a",
        "secret",
        "http://a:",
        "?",
        "'",
        "token=",
        "catv_",
        " ",
        "/",
        "/?",
        "a-",
        "a_",
        "://",
        "@",
        "key ",
        "key\t\t",
    ]
    script = "import sys; from daemon.redaction import Redactor; [Redactor()(piece * 20_000) for piece in sys.argv[1:]]"
    assert subprocess.run([sys.executable, "-c", script, *pieces], timeout=60, check=False).returncode == 0
