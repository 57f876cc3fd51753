"""Database and queue servers that tests may use. `.ci/run` starts them and names them in the environment; a test that
wants one which is not there is skipped."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

VARIABLES = {"postgresql": "VIX_TEST_POSTGRESQL", "mysql": "VIX_TEST_MYSQL", "redis": "VIX_TEST_REDIS"}
DATABASES = ("sqlite", "postgresql", "mysql")
QUEUES = ("sqlite", "redis", "postgresql")


def url_of(server: str) -> str:
    """Where a server is; skips the test that asks where there is none."""
    url = os.environ.get(VARIABLES[server], "")
    if not url:
        pytest.skip(f"No {server} server: {VARIABLES[server]} is not set (.ci/run sets it).")
    return url


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[Path | str]:
    """The path or URL of an empty database that goes with the test."""
    if kind == "sqlite":
        yield folder / "vix.db"
        return
    url, name = url_of(kind), f"vix_test_{secrets.token_hex(6)}"
    run_sql(kind, url, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        run_sql(kind, url, f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


@contextmanager
def fresh_queue(kind: str, folder: Path) -> Iterator[Path | str]:
    """The path or URL of an empty queue that goes with the test."""
    if kind == "sqlite":
        yield folder / "queue.db"
    elif kind == "postgresql":
        with fresh_database(kind, folder) as url:
            yield url
    else:
        server = url_of(kind)  # before the driver, which is there only where a server is, too
        import redis

        # Each process of pytest-xdist ("gw0", "gw1"...) has a database of the server for itself.
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
        url = urlunsplit(urlsplit(server)._replace(path=f"/{number}"))
        with closing(redis.Redis.from_url(url)) as client:
            client.flushdb()
        yield url


def run_sql(kind: str, url: str, *statements: str) -> None:
    """Run statements at a server, each by itself, with a connection of nobody else's."""
    if kind == "postgresql":
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    import pymysql

    parts = urlsplit(url)
    with (
        closing(
            pymysql.connect(
                host=parts.hostname,
                port=parts.port or 3306,
                user=parts.username,
                password=parts.password or "",
                database=parts.path.strip("/") or None,
                autocommit=True,
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
