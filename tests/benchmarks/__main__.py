"""`./vix bench`: measures what is promised and prints one table. A missed target is said, and is no error."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import answer_rows, eighth_row, memory_rows, moviepy_row, preview_row, template_row
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.measure import grandchild_cpu_s
from tests.benchmarks.report import Outcome, Row, closing, table, write_json

ROWS = (
    Row("1", "template", "film with all effects / veryfast FFmpeg, CPU", "<= 0.60", template_row.cpu),
    Row(
        "1",
        "quality",
        "its encoder against veryfast",
        "SSIM >= -0.001, VMAF >= -1, bytes <= 1.10",
        template_row.quality,
    ),
    Row("2", "moviepy", "film with all effects / MoviePy, CPU", "<= 1/7 (0.143)", moviepy_row.moviepy),
    Row("3", "memory", "peak PSS of a render, worker and FFmpeg", "<= 300 MB", memory_rows.peak),
    Row("4", "idle", "API and worker, idle (deploy hook not included)", "<= 150 MB, < 0.5 %", memory_rows.idle),
    Row("7", "submit", "answer to a request, 10,000 jobs queued", "p99 <= 50 ms", answer_rows.submit),
    Row("8", "start", "an idle worker begins a job", "<= 200 ms", answer_rows.start),
    Row("9", "preview", "a picture of a film that is not made", "<= 400 ms", preview_row.preview),
    Row("10", "eighth", "a minute of film on an eighth of a core", "<= 5 min", eighth_row.eighth),
)


def main() -> None:
    """Run the rows that are asked for."""
    options = _options()
    rows = [row for row in ROWS if not options.only or {row.number, row.name} & set(options.only)]
    if options.list:
        print("\n".join(f"{row.number:>2}  {row.name:<9}  {row.what}: {row.target}" for row in rows))
        return
    about = _about()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="vix-bench-") as folder:
        bench = Bench(
            Path(folder), options.repeat, options.seconds, options.full, options.moviepy_python, tuple(options.source)
        )
        results = [(row, _run(row, bench)) for row in rows]
    print(f"\n{table(results)}\n\n{closing(results)}")
    if options.json:
        about["load_at_end"] = _load()
        write_json(options.json, about, results)


def _run(row: Row, bench: Bench) -> Outcome:
    """Run one row; one that cannot be measured must not cost the others."""
    say(f"-- {row.number} {row.name}")
    try:
        outcome = row.run(bench)
    except Exception as exc:
        outcome = Outcome(f"not measured ({type(exc).__name__})", False, tuple(str(exc).splitlines()))
    print(f"\n{row.number} {row.name}: {row.what}")
    print("\n".join(f"   {line}" for line in outcome.lines), flush=True)
    return outcome


def _about() -> dict[str, Any]:
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "load_at_start": _load(),
        "check_of_the_measure": f"a grandchild that burns 0.50 CPU s is seen as {grandchild_cpu_s():.2f}",
    }


def _load() -> str:
    return ", ".join(f"{load:.2f}" for load in os.getloadavg())


def _options() -> argparse.Namespace:
    names = sorted({row.name for row in ROWS} | {row.number for row in ROWS})
    parser = argparse.ArgumentParser(prog="vix bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help="a row's number or name; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    parser.add_argument("--repeat", type=_positive, default=3, metavar="N", help="interleaved pairs (3)")
    parser.add_argument("--seconds", type=_length, default=20.0, metavar="S", help="length of the films (20)")
    parser.add_argument("--full", action="store_true", help="MoviePy's films as long and as often as the others")
    parser.add_argument(
        "--source", action="append", type=_file, default=[], metavar="CLIP", help="one more clip; repeatable"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--moviepy-python", type=Path, metavar="PATH", help="a Python that has MoviePy")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _length(text: str) -> float:
    if not 2 <= (value := float(text)) <= 600:
        raise argparse.ArgumentTypeError("must be from 2 to 600")
    return value


def _file(text: str) -> Path:
    if not (path := Path(text).absolute()).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return path


if __name__ == "__main__":
    main()
