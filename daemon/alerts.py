"""Carries alerts to the operator's own channels (Apprise URLs). Knows when and how often, not what they say."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.store.notices import AlertStore

EVERY_S = 20.0
_AT_A_TIME = 20
_WAITS_S = (60, 300, 900, 3600, *[4 * 3600] * 18)  # three days
_LIMIT_S = 60.0
_TO_START_S = 60.0  # of a small machine, which makes a film beside
_TAKEN_FOR_S = 300.0  # longer than telling one may take
_log = logging.getLogger(__name__)


def split_urls(text: str) -> list[str]:
    """Take Apprise URLs apart that stand on lines of their own or between commas and spaces."""
    return [url for url in re.split(r"\s+|,(?=\s*[a-z][a-z0-9+.-]*://)", text.strip()) if url]


def tell(urls: Sequence[str], subject: str, body: str, *, limit_s: float = _LIMIT_S) -> bool:
    """Send one message; False where no channel has taken it within `limit_s`."""
    command = [sys.executable, "-P", "-m", "daemon.channels"]
    told = json.dumps({"urls": list(urls), "subject": subject, "body": body, "limit_s": limit_s})
    longest_s = limit_s + _TO_START_S
    try:
        done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=longest_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        _log.error("No channel could be asked.", extra={"action": "alert_error", "reason": type(exc).__name__})
        return False
    if done.returncode == 0:
        _log.info("An alert was sent.", extra={"action": "alert_sent", "channels": done.stdout})
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Carries what waits in `store`; an alert is told once one of the channels has taken it, by one worker of all."""

    store: AlertStore
    urls: Sequence[str] = field(repr=False)

    def carry(self) -> None:
        """Send what is due.

        Raises:
            StoreError: the table cannot be read or written.
        """
        for alert in self.store.due(_AT_A_TIME):
            if not self.store.take(alert, _TAKEN_FOR_S):
                continue
            if tell(self.urls, alert.subject, alert.body):
                self.store.done(alert)
            elif alert.tries >= len(_WAITS_S):
                _log.error("An alert is given up.", extra={"action": "alert_given_up", "reason": alert.body})
                self.store.done(alert)
            else:
                self.store.later(alert, _WAITS_S[alert.tries])
