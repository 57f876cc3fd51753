"""The process that answers requests stays small."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["PIL", "numpy", "cv2", "imageio_ffmpeg", "huey", "daemon.pipeline", "daemon.worker.loop", "render.text"]


def test_the_web_side_imports_nothing_heavy() -> None:
    code = f"import sys, daemon.web.app, daemon.web.server; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
