"""The audit table: newest first, page by page, and forgotten after its time."""

from __future__ import annotations

import pytest

from daemon.store.audit import AuditStore
from daemon.store.database import Database
from tests.daemon.conftest import MovableClock


@pytest.fixture
def audit(vix_database: Database, movable_clock: MovableClock) -> AuditStore:
    return AuditStore(vix_database, movable_clock)


def test_what_was_written_is_read_newest_first(audit: AuditStore, movable_clock: MovableClock) -> None:
    begun = movable_clock()
    audit.add("127.0.0.1", "GET", "/admin/keys", 200)
    movable_clock.move(1)
    audit.add("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "DELETE", "/admin/keys/a%0Ab", 401)
    second, first = audit.page(10)
    assert (first.at, first.address, first.method, first.path, first.status) == (
        begun,
        "127.0.0.1",
        "GET",
        "/admin/keys",
        200,
    )
    assert (second.address, second.status) == ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 401)


def test_pages_hold_every_line_once(audit: AuditStore) -> None:
    for number in range(7):
        audit.add("unknown", "GET", f"/admin/{number}", 200)
    seen, before = [], None
    while page := audit.page(3, before):
        seen += [entry.path for entry in page]
        before = page[-1].seq
    assert seen == [f"/admin/{number}" for number in reversed(range(7))]


def test_a_method_that_is_none_is_cut(audit: AuditStore) -> None:
    audit.add("x" * 100, "M" * 100, "/admin", 405)
    [entry] = audit.page(1)
    assert (entry.address, entry.method) == ("x" * 64, "M" * 10)


def test_old_lines_are_forgotten(audit: AuditStore, movable_clock: MovableClock) -> None:
    audit.add("127.0.0.1", "GET", "/old", 200)
    movable_clock.move(10)
    audit.add("127.0.0.1", "GET", "/new", 200)
    assert audit.forget(movable_clock()) == 1
    assert [entry.path for entry in audit.page(10)] == ["/new"]
