"""`python -m daemon.channels`: tells an operator something through Apprise, in a process of its own, as Apprise takes
36 MB of memory. Reads JSON from its input (`urls`, `subject`, `body`) and writes how many channels have taken it."""

from __future__ import annotations

import json
import logging
import sys


def main() -> int:
    """Send to every channel; 0 if one at least has taken it."""
    import apprise

    logging.disable(logging.CRITICAL)  # it writes down whole URLs, which hold secrets
    told = json.load(sys.stdin)
    taken = sum(_send(apprise, url, told["subject"], told["body"]) for url in told["urls"])
    sys.stdout.write(json.dumps({"taken": taken, "of": len(told["urls"])}))
    return 0 if taken else 1


def _send(apprise: object, url: str, subject: str, body: str) -> bool:
    channel = apprise.Apprise()  # type: ignore[attr-defined]
    return bool(channel.add(url)) and bool(channel.notify(title=subject, body=body))


if __name__ == "__main__":
    sys.exit(main())
