"""Where a process can be made to die, so that tests can kill it at every step that counts. The one list of them.

In service nothing is armed, and `reach` compares two strings. Armed with a name from the environment (`VIX_FAIL_AT`,
read in `daemon.settings`), the process kills itself there with SIGKILL: no handler, no `finally`, no flushed buffer.
"""

from __future__ import annotations

import os
import signal

POINTS = {
    "submit_before_commit": "the job is inserted, the transaction is open",
    "submit_committed": "the job is on disk, the 202 is not sent",
    "ring_done": "the bell was rung",
    "claim_committed": "the attempt is counted, nothing is made yet",
    "prepare_done": "material is chosen, the Timeline is compiled",
    "render_begun": "FFmpeg has written its first frames",
    "render_half": "half of the frames are encoded",
    "film_made": "the film is verified in its work folder",
    "film_published": "the film has its name in the folder of films",
    "thumbnail_made": "the thumbnail is beside it",
    "finish_before_commit": "the job's end is written, the transaction is open",
    "finish_committed": "the job and its callbacks are on disk",
    "fail_committed": "the job has failed on disk",
    "put_back_committed": "the job is back in the queue",
    "cancel_committed": "the job is cancelled, its FFmpeg may still run",
    "retry_committed": "a failed job is back in the queue",
    "reconcile_committed": "the orphans are back in the queue, none is claimed",
    "callback_claimed": "the try is counted, no byte is sent",
    "callback_sent": "the receiver has answered, the answer is not written down",
    "callback_written": "the answer is written down",
    "delivery_claimed": "a delivery is taken, nothing is prepared",
    "delivery_prepared": "the film is uploaded, the order to publish is not out",
    "delivery_sending": "that it goes out is on disk, no byte of it is sent",
    "delivery_sent": "the far side has confirmed the order, nothing is written down",
    "delivery_accepted": "that it is taken is on disk, what follows is not done",
    "delivery_probed": "the far side was asked what came of an order, nothing is written down",
    "delivery_done": "a delivery, and with it its job, is at its end on disk",
    "prune_before_files": "films to be removed are chosen",
    "prune_files_gone": "files are removed, the rows still name them",
    "prune_done": "rows are removed, too",
    "key_rotated": "a key has two secrets",
    "slot_committed": "a slot has run, its job and the schedule's turn are on disk",
    "backup_copied": "the database is copied, the backup is not written",
    "backup_written": "the backup is whole, and has not its name",
    "restore_staged": "what is restored is unpacked and checked, nothing is decided",
    "restore_decided": "it is decided, everything old is in its place",
    "restore_moved": "the old database is away, the new one not in its place",
    "restore_placed": "everything new is in its place, the traces are not removed",
    "migration_done": "the tables are new, the program has not used them",
}
_armed = ""


class UnknownFailpoint(ValueError):
    """There is no failpoint of this name."""


def arm(name: str) -> None:
    """Let the process die when it reaches `name`; an empty name disarms.

    Raises:
        UnknownFailpoint: there is none of this name, so a test with it would prove nothing.
    """
    global _armed
    if name and name not in POINTS:
        raise UnknownFailpoint(f"there is no failpoint {name!r}; there are {', '.join(POINTS)}")
    _armed = name


def reach(name: str) -> None:
    """Die here if this point is armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
