"""What dialects do alike: connections, transactions, and finding the driver's error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def connected(pool: Any) -> Iterator[None]:
    """Give this thread a connection. peewee's own context does not bear one that is thrown away in between."""
    pool.connect()
    try:
        yield
    finally:
        pool.close()


class DropsLost:
    """A pool that, once a connection turns out to be lost, drops the idle ones, too: the server or the way to it is
    gone, and each of them would have to time out by itself."""

    def _is_closed(self, connection: Any) -> bool:
        lost: bool = super()._is_closed(connection)  # type: ignore[misc]
        if lost:
            self.close_idle()  # type: ignore[attr-defined]
        return lost


@contextmanager
def transaction(pool: Any, *begin: str) -> Iterator[None]:
    """Commit at the end of the block, or roll back. A connection that cannot even roll back is thrown away with all
    idle ones, and so is, alone, one that was interrupted in the middle of a word with its server."""
    try:
        for statement in begin:
            pool.execute_sql(statement)
        yield
        pool.execute_sql("COMMIT")
    except Exception:
        try:
            pool.execute_sql("ROLLBACK")
        except Exception:
            pool.manual_close()
            pool.close_idle()
        raise
    except BaseException:
        pool.manual_close()
        raise


def original(failure: BaseException) -> BaseException:
    """The driver's error inside peewee's."""
    inner = getattr(failure, "orig", None)
    return inner if isinstance(inner, BaseException) else failure
