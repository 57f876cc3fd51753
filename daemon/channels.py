"""`python -m daemon.channels`: tells an operator something through Apprise, in a process of its own, as Apprise takes
36 MB of memory. Reads JSON from its input (`urls`, `subject`, `body`, `limit_s`) and writes how many channels have
taken it by then."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time


def main() -> int:
    """Send to every channel; 0 if one at least has taken it."""
    import apprise

    logging.disable(logging.CRITICAL)  # it writes down whole URLs, which hold secrets
    told = json.load(sys.stdin)
    taken: list[str] = []

    def send(url: str) -> None:
        if _send(apprise, url, told["subject"], told["body"]):
            taken.append(url)

    # Beside each other: one that hangs must not keep the others from being told, nor have them told again and again.
    threads = [threading.Thread(target=send, args=(url,), daemon=True) for url in told["urls"]]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + told["limit_s"]
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    sys.stdout.write(json.dumps({"taken": len(taken), "of": len(told["urls"])}))
    return 0 if taken else 1


def _send(apprise: object, url: str, subject: str, body: str) -> bool:
    channel = apprise.Apprise()  # type: ignore[attr-defined]
    return bool(channel.add(url)) and bool(channel.notify(title=subject, body=body))


if __name__ == "__main__":
    sys.exit(main())
