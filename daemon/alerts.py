"""Carries alerts to the operator's own channels (Apprise URLs). Knows when and how often, not what they say."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.store.notices import AlertStore

EVERY_S = 20.0
_AT_A_TIME = 20
_WAITS_S = (60, 300, 900, 3600, *[4 * 3600] * 18)  # three days
_LONGEST_S = 90.0
_log = logging.getLogger(__name__)


def split_urls(text: str) -> list[str]:
    """Take Apprise URLs apart that stand on lines of their own or between commas and spaces."""
    return [url for url in re.split(r"\s+|,(?=\s*[a-z][a-z0-9+.-]*://)", text.strip()) if url]


def tell(urls: Sequence[str], subject: str, body: str) -> bool:
    """Send one message; False where no channel has taken it."""
    command = [sys.executable, "-P", "-m", "daemon.channels"]
    told = json.dumps({"urls": list(urls), "subject": subject, "body": body})
    try:
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, timeout=_LONGEST_S, check=False, cwd=os.getcwd()
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        _log.error("No channel could be asked.", extra={"action": "alert_error", "reason": type(exc).__name__})
        return False
    if done.returncode == 0:
        _log.info("An alert was sent.", extra={"action": "alert_sent", "channels": done.stdout})
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Carries what waits in `store`; an alert is told once one of the channels has taken it."""

    store: AlertStore
    urls: Sequence[str] = field(repr=False)

    def carry(self) -> None:
        """Send what is due.

        Raises:
            StoreError: the table cannot be read or written.
        """
        for alert in self.store.due(_AT_A_TIME):
            if tell(self.urls, alert.subject, alert.body):
                self.store.done(alert)
            elif alert.tries >= len(_WAITS_S):
                _log.error("An alert is given up.", extra={"action": "alert_given_up", "reason": alert.body})
                self.store.done(alert)
            else:
                self.store.later(alert, _WAITS_S[alert.tries])
