"""Stands in for FFmpeg: `film_maker FILM SECONDS BYTES ALONE OVERLAPS` takes its time, then leaves a file.

Where another one runs at the same moment, it says so in the file OVERLAPS. Where something cannot be written it ends
with the error's number.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time


def main(film: str, seconds: str, size: str, alone: str, overlaps: str) -> None:
    with open(alone, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with open(overlaps, "a") as file:
                file.write(film + "\n")
        with open(film + ".part", "w") as file:
            file.write(f"{os.getpid()}\n")
            file.write("x" * int(size))
        time.sleep(float(seconds))
        os.rename(film + ".part", film)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as exc:
        os._exit(exc.errno or 1)
