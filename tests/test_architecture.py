"""The house rules, held by reading the source. Each rule is also shown an offender, to which it must object."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.source_tree import PACKAGES, ROOT, Module, files, modules, reached

# Who may import whom, the longest matching name first. `...` stands for everything of the house.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "render": ("render",),
    "fonts_cache": ("fonts_cache",),
    "deployhook": ("deployhook",),
    "daemon": (),
    "daemon.__main__": ("daemon", "render.errors"),
    "daemon.announce": ("daemon.describe", "daemon.jobs", "daemon.links", "daemon.store", "daemon.strict_json"),
    "daemon.commands": ("daemon", "render", "fonts_cache"),
    "daemon.commands.demo": ("daemon.settings", "daemon.signals", "daemon.commands.terminal", "render.sandbox"),
    "daemon.commands.terminal": (),
    "daemon.accounts": (
        *("daemon.accounts", "daemon.deliveries.setbacks", "daemon.errors", "daemon.facebook", "daemon.store"),
        *("daemon.vault",),
    ),
    "daemon.accounts.life": (),
    "daemon.alerts": ("daemon.errors", "daemon.store"),
    "daemon.callbacks": (
        *(
            "daemon.callbacks",
            "daemon.carrier",
            "daemon.errors",
            "daemon.failpoints",
            "daemon.outbound",
            "daemon.store",
        ),
    ),
    "daemon.deliveries": (
        *(
            "daemon.accounts",
            "daemon.carrier",
            "daemon.deliveries",
            "daemon.errors",
            "daemon.facebook",
            "daemon.failpoints",
        ),
        *("daemon.films", "daemon.store"),
    ),
    "daemon.backups": ("daemon.backups", "daemon.errors", "daemon.failpoints"),
    "daemon.carrier": ("daemon.errors",),
    "daemon.channels": (),
    "daemon.deliveries.life": (),
    "daemon.describe": ("daemon.deliveries.life", "daemon.estimate", "daemon.jobs", "daemon.links", "daemon.store"),
    "daemon.errands": ("daemon.sources", "daemon.store", "render.errors", "render.listen"),
    "daemon.estimate": ("daemon.jobs",),
    "daemon.facebook": ("daemon.deliveries.setbacks", "daemon.errors", "daemon.facebook", "daemon.outbound"),
    "daemon.films": ("render.settle",),
    "daemon.jobs": ("daemon.deliveries.life", "daemon.errors"),
    "daemon.kinds": ("daemon.errors", "daemon.kinds", "daemon.sources", "render", "fonts_cache"),
    "daemon.links": ("daemon.signing",),
    "daemon.logs": ("daemon.redaction",),
    "daemon.orders": ("daemon.jobs", "daemon.kinds", "daemon.publishing", "fonts_cache"),
    "daemon.outbound": ("daemon.errors", "daemon.outbound"),
    "daemon.pipeline": (
        *("daemon.failpoints", "daemon.films", "daemon.jobs", "daemon.kinds", "daemon.prepared", "daemon.store"),
        *("render", "fonts_cache"),
    ),
    "daemon.prepared": ("daemon.kinds", "render"),
    "daemon.previews": ("daemon.errors", "render"),
    "daemon.publishing": (
        *("daemon.accounts.life", "daemon.deliveries.life", "daemon.store", "render.errors", "render.problems"),
        *("render.publication", "render.request"),
    ),
    "daemon.queue": ("daemon.errors", "daemon.queue_storage", "daemon.targets"),
    "daemon.retention": ("daemon.failpoints", "daemon.films", "daemon.prepared", "daemon.store"),
    "daemon.rotation": ("render.errors", "render.problems", "render.variables"),
    "daemon.scheduler": ("daemon.worker.ticker",),
    "daemon.schedules": (
        *("daemon.errors", "daemon.jobs", "daemon.kinds", "daemon.orders", "daemon.publishing", "daemon.rotation"),
        *("daemon.slots", "daemon.sources.library", "daemon.store", "fonts_cache"),
        *("render.errors", "render.fieldtypes", "render.problems", "render.strict"),
    ),
    "daemon.settings": ("daemon.errors", "daemon.failpoints", "daemon.jobs"),
    "daemon.signing": ("daemon.errors",),
    "daemon.slots": ("render.errors", "render.problems"),
    "daemon.sources": ("daemon.errors", "daemon.outbound", "daemon.sources", "render"),
    "daemon.sources.google_fonts": ("daemon.errors", "daemon.outbound", "fonts_cache"),
    "daemon.store": (
        *("daemon.accounts.life", "daemon.deliveries.life", "daemon.errors", "daemon.estimate", "daemon.failpoints"),
        *("daemon.jobs", "daemon.store", "daemon.strict_json", "daemon.targets"),
    ),
    "daemon.supervisor": ("daemon.signals", "render.sandbox"),
    "daemon.timetable": (
        *("daemon.errors", "daemon.failpoints", "daemon.schedules", "daemon.slots", "daemon.store", "render.errors"),
    ),
    "daemon.vault": ("daemon.errors", "daemon.store"),
    "daemon.web": (
        *("daemon.web", "daemon.errors", "daemon.failpoints", "daemon.jobs", "daemon.estimate", "daemon.store"),
        *(
            "daemon.kinds",
            "daemon.orders",
            "daemon.schedules",
            "daemon.publishing",
            "daemon.accounts.life",
            "daemon.deliveries.life",
            "daemon.slots",
            "daemon.describe",
            "daemon.links",
            "daemon.signing",
            "daemon.limits",
            "daemon.strict_json",
        ),
        *("daemon.errands", "daemon.previews", "daemon.sources.catalogue", "daemon.sources.library"),
        *("daemon.outbound.urls",),
        *("render.errors", "render.fieldtypes", "render.listen", "render.plain", "render.problems", "render.request"),
        *("render.publication", "render.seconds", "render.spec", "render.strict", "render.timeline", "fonts_cache"),
    ),
    "daemon.worker": (
        *("daemon.errors", "daemon.films", "daemon.jobs", "daemon.limits", "daemon.logs", "daemon.queue"),
        *("daemon.signals", "daemon.store", "daemon.worker", "render.errors"),
    ),
}
# Packages of others that belong to one place.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "peewee": ("daemon.store",),
    "playhouse": ("daemon.store",),
    "sqlite3": ("daemon.store", "daemon.queue_storage"),
    "huey": ("daemon.queue", "daemon.queue_storage"),
    "starlette": ("daemon.web", "deployhook"),
    "uvicorn": ("daemon.web.server", "daemon.web.connection", "deployhook"),
    "anyio": ("daemon.web",),
    "click": ("daemon.__main__", "daemon.commands"),
    "httpx": ("daemon.outbound.client",),
    "httpx2": ("daemon.outbound.client",),
    "httpcore": ("daemon.outbound.client", "daemon.outbound.sockets"),
    "certifi": ("daemon.outbound.client",),
    "cryptography": ("daemon.vault",),
    "apprise": ("daemon.channels",),
    "requests": (),
    "stamina": ("daemon.sources.download",),
    "limits": ("daemon.web.throttle",),
    "prometheus_client": ("daemon.web.metrics",),
    "schedule": ("daemon.scheduler",),
    "redis": ("daemon.queue_storage",),
    "psycopg": ("daemon.queue_storage", "daemon.store.dialects.postgresql"),
    "pymysql": ("daemon.store.dialects.mysql",),
    "urllib.request": ("daemon.commands.demo",),  # a client of our own API, as short as a reader would write it
    "imageio_ffmpeg": ("daemon.commands.wiring", "render.__main__"),
    "pydantic_settings": ("daemon.settings",),
    "dotenv": ("daemon.settings",),
    "numpy": (
        *("render.appeal", "render.cues", "render.vision", "render.flow", "render.inspect", "render.smooth"),
        "daemon.sources.starter",
    ),
    "cv2": ("render.appeal", "render.cues", "render.vision", "render.flow", "daemon.sources.starter"),
    "PIL": (
        *(
            "render.text",
            "render.typeset",
            "render.legibility",
            "render.faces",
            "render.letters",
            "render.gradient",
            "render.atlas",
            "render.reel",
            "render.contact_sheet",
        ),
        "daemon.sources.starter",
    ),
    "uharfbuzz": ("render.faces", "fonts_cache.coverage"),
    "icu4py": ("render.wrap",),
    "subprocess": (
        *("render.ffmpeg", "render.running", "render.sandbox", "render.child"),
        *("daemon.supervisor", "daemon.previews", "daemon.alerts", "daemon.commands.demo"),
        "daemon.commands.install.machine",
        "daemon.sources.starter",
        "deployhook.remote",
    ),
    "multiprocessing": (),
}
PURE = (
    "spec",
    "timeline",
    "layout",
    "template",
    "graph",
    "plain",
    "problems",
    "publication",
    "strict",
    "fieldtypes",
    "request",
    "variables",
    "wrap",
    "bidi",
    "emoji",
    "runs",
    "encoder",
    "errors",
    "colour",
    "sound",
    "loudness",
    "seconds",
    "contrast",
    "slices",
    "ground",
    "easing",
    "motion",
    "shots",
    "transitions",
    "looks",
)
IMPURE_MODULES = (
    "random",
    "secrets",
    "time",
    "datetime",
    "uuid",
    "os",
    "socket",
    "tempfile",
    "subprocess",
    "threading",
)
# Reading them at import time would put picture code into the process that answers requests, or numpy beside FFmpeg.
NOT_REACHED = {
    "daemon.web.app": (
        "PIL",
        "numpy",
        "cv2",
        "icu4py",
        "imageio_ffmpeg",
        "huey",
        "httpx",
        "httpx2",
        "httpcore",
        "cryptography",
        "stamina",
        "schedule",
        "daemon.pipeline",
        "daemon.worker",
        "render.text",
    ),
    "daemon.commands.api": ("PIL", "numpy", "cv2", "httpx", "httpx2", "httpcore", "cryptography", "daemon.pipeline"),
    "daemon.web.server": ("PIL", "numpy", "cv2", "daemon.pipeline", "daemon.worker"),
    "daemon.pipeline": ("numpy", "cv2", "huey", "starlette", "peewee", "daemon.worker"),
    "daemon.commands.worker": ("numpy", "cv2", "cryptography", "apprise", "starlette"),
    "daemon.worker.loop": ("numpy", "cv2", "PIL", "starlette", "daemon.pipeline"),
    "daemon.__main__": ("numpy", "cv2", "PIL", "starlette", "huey", "peewee", "imageio_ffmpeg"),
    "render.inspect": ("numpy", "cv2", "PIL"),
    "render.smooth": ("numpy", "cv2", "PIL"),
}
# The one reader is pydantic-settings in daemon/settings.py; the demo hands its own environment on to its children.
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv")
READS_ENVIRONMENT = ("daemon.settings", "daemon.commands.demo", "deployhook.settings")
STARTERS = r"os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?|fork|forkpty)|asyncio\.create_subprocess_\w+|pty\.spawn"
# The process that draws previews forks itself, and has no thread that this could cut off in its middle.
FORKS = ("render.still_server",)
SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE|PRAGMA)\b", re.I
)
TOP_LEVEL = {
    *("daemon", "deployhook", "render", "fonts_cache", "nginx", "systemd", "deploy.sh", "tests", "README.md", "docs"),
    *("pyproject.toml", "requirements", "CHANGELOG.md", "LICENSE", ".env.example", ".ci", ".gitignore", "vix"),
}
MOST_LINES, MOST_FUNCTION_LINES = 400, 60

Rule = Callable[[Module], Iterator[str]]


def inside(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def imports_run_in_the_agreed_direction(module: Module) -> Iterator[str]:
    rule = max((name for name in MAY_IMPORT if inside(module.name, (name,))), key=len)
    for one in module.imports:
        is_ours = inside(one.target, PACKAGES) or one.target.split(".")[0] == "tests"
        # The package itself holds nothing but the version.
        if is_ours and not inside(one.target, MAY_IMPORT[rule]) and one.target != "daemon":
            yield f"line {one.line}: {rule} must not import {one.target}"


def packages_stay_in_their_place(module: Module) -> Iterator[str]:
    for one in module.imports:
        place = next((name for name in ONLY_IN if inside(one.target, (name,))), None)
        if place is not None and not one.typing and not inside(module.name, ONLY_IN[place]):
            yield f"line {one.line}: {place} belongs to {' and '.join(ONLY_IN[place]) or 'nobody'}"


def pure_modules_know_no_clock_and_no_chance(module: Module) -> Iterator[str]:
    if inside(module.name, tuple(f"render.{name}" for name in PURE)):
        yield from (f"line {one.line}: {one.target}" for one in module.imports if inside(one.target, IMPURE_MODULES))
        yield from module.dotted_names & {"open", "input", "print"}


def render_draws_nothing_by_chance(module: Module) -> Iterator[str]:
    if inside(module.name, ("render",)):
        chance = ("random", "secrets", "uuid", "numpy.random", "datetime")
        yield from (f"line {one.line}: {one.target}" for one in module.imports if inside(one.target, chance))
        yield from (name for name in module.dotted_names if re.match(r"(np|numpy)\.random\b|time\.time(_ns)?$", name))


def the_environment_is_read_in_settings(module: Module) -> Iterator[str]:
    if not inside(module.name, READS_ENVIRONMENT):
        yield from (name for name in module.dotted_names if inside(name, ENVIRONMENT))


def programs_are_started_in_few_places(module: Module) -> Iterator[str]:
    names = module.dotted_names - ({"os.fork"} if inside(module.name, FORKS) else set())
    yield from (name for name in names if re.fullmatch(STARTERS, name))
    shell = [node for node in ast.walk(module.tree) if isinstance(node, ast.keyword) and node.arg == "shell"]
    yield from (f"line {node.value.lineno}: a shell" for node in shell)


def sql_stands_in_the_store(module: Module) -> Iterator[str]:
    if not inside(module.name, ("daemon.store",)):
        yield from (text for text in module.strings if SQL.match(text))
        yield from (name for name in module.dotted_names if name.endswith((".execute_sql", ".executescript")))


def files_and_functions_are_short(module: Module) -> Iterator[str]:
    if (lines := module.text.count("\n")) > MOST_LINES:
        yield f"{lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                yield f"{node.name}: {length} lines"


def modules_say_what_they_are(module: Module) -> Iterator[str]:
    doc = ast.get_docstring(module.tree)
    if module.text.strip() and not doc:
        yield "no docstring"
    # Drawn trees and listings aside, a docstring is one to three sentences.
    words = "\n\n".join(p for p in (doc or "").split("\n\n") if not re.search(r"^ *[├└]──|^ {4}|^\w+$\n", p, re.M))
    if len(re.findall(r"[.!?](?=\s|$)", words)) > 6:
        yield f"a docstring that goes on: {words}"


def annotations_are_strings(module: Module) -> Iterator[str]:
    if module.tree.body[1:] and "from __future__ import annotations\n" not in module.text:
        yield "no `from __future__ import annotations`"


OFFENDERS: list[tuple[Rule, str, str]] = [
    (imports_run_in_the_agreed_direction, "render.text", "from daemon.errors import VixError"),
    (imports_run_in_the_agreed_direction, "render.text", "def f():\n    import fonts_cache"),
    (imports_run_in_the_agreed_direction, "fonts_cache.index", "from render import errors"),
    (imports_run_in_the_agreed_direction, "daemon.web.status", "from daemon import pipeline"),
    (imports_run_in_the_agreed_direction, "daemon.web.status", "def f():\n    import daemon.worker.loop"),
    (imports_run_in_the_agreed_direction, "daemon.web.status", "if TYPE_CHECKING:\n    from render.vision import Look"),
    (imports_run_in_the_agreed_direction, "daemon.store.keys", "import daemon.web.links"),
    (imports_run_in_the_agreed_direction, "daemon.pipeline", "from daemon.queue import Doorbell"),
    (imports_run_in_the_agreed_direction, "daemon.worker.loop", "import daemon.settings"),
    (imports_run_in_the_agreed_direction, "daemon.new_thing", "import daemon.errors"),
    (imports_run_in_the_agreed_direction, "daemon.jobs", "from tests import media"),
    (packages_stay_in_their_place, "daemon.worker.loop", "from peewee import fn"),
    (packages_stay_in_their_place, "daemon.kinds.template", "import httpx"),
    (packages_stay_in_their_place, "render.probe", "import subprocess"),
    (packages_stay_in_their_place, "daemon.pipeline", "def f():\n    import numpy as np"),
    (packages_stay_in_their_place, "daemon.pipeline", "import importlib\nimportlib.import_module('cv2')"),
    (packages_stay_in_their_place, "daemon.web.links", "from urllib.request import urlopen"),
    (pure_modules_know_no_clock_and_no_chance, "render.template", "import random"),
    (pure_modules_know_no_clock_and_no_chance, "render.layout", "def f():\n    from time import time"),
    (pure_modules_know_no_clock_and_no_chance, "render.graph", "open('x')"),
    (render_draws_nothing_by_chance, "render.vision", "import numpy as np\nnp.random.default_rng()"),
    (render_draws_nothing_by_chance, "render.text", "import random"),
    (the_environment_is_read_in_settings, "daemon.web.app", "import os\nos.environ['X']"),
    (the_environment_is_read_in_settings, "render.ffmpeg", "from os import getenv\ngetenv('X')"),
    (the_environment_is_read_in_settings, "render.ffmpeg", "from os import environ as e\ne.get('X')"),
    (programs_are_started_in_few_places, "daemon.pipeline", "import os\nos.system('ls')"),
    (programs_are_started_in_few_places, "daemon.previews", "import os\nos.fork()"),
    (programs_are_started_in_few_places, "render.still_server", "import os\nos.execv('ls', [])"),
    (programs_are_started_in_few_places, "render.ffmpeg", "import subprocess\nsubprocess.run('ls', shell=True)"),
    (sql_stands_in_the_store, "daemon.queue", "c.execute('select 1 from job')"),
    (sql_stands_in_the_store, "daemon.worker.loop", "c.execute('DELETE  FROM job')"),
    (files_and_functions_are_short, "daemon.x", "x = 1\n" * 401),
    (files_and_functions_are_short, "daemon.x", "def f():\n" + "    x = 1\n" * 60),
    (modules_say_what_they_are, "daemon.x", "x = 1"),
    (modules_say_what_they_are, "daemon.x", '"""' + "It goes on. " * 7 + '"""'),
    (annotations_are_strings, "daemon.x", '"""A thing."""\nx = 1\n'),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in OFFENDERS))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_holds(rule: Rule) -> None:
    assert [f"{module.name}: {found}" for module in modules() for found in rule(module)] == []


@pytest.mark.parametrize(("rule", "name", "text"), OFFENDERS)
def test_finds_an_offender(rule: Rule, name: str, text: str) -> None:
    assert list(rule(Module.of(name, text)))


def test_every_module_is_looked_at() -> None:
    names = {module.name for module in modules()}
    on_disk = {path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert len(names) == len(on_disk) > 60
    assert {"daemon.__main__", "daemon.web.app", "render.graph", "fonts_cache.cache", "render"} <= names
    assert not [name for name in MAY_IMPORT if not inside(name, ("deployhook",)) and name not in names]


@pytest.mark.parametrize("start", NOT_REACHED)
def test_what_a_process_loads(start: str) -> None:
    found = reached(start, {module.name: module for module in modules()})
    wrong = [target for target in found if inside(target, NOT_REACHED[start])]
    assert [f"{found[target]} imports {target}" for target in wrong] == []


def test_what_a_process_loads_is_followed_through_others() -> None:
    known = {
        "a": Module.of("a", "import b.c\nif TYPE_CHECKING:\n    import never\ndef f():\n    import later"),
        "b": Module.of("b", "import numpy"),
        "b.c": Module.of("b.c", "from cv2 import resize"),
    }
    assert set(reached("a", known)) == {"a", "b", "b.c", "numpy", "cv2"}


def test_nobody_imports_the_commands() -> None:
    commands = ("daemon.__main__", "daemon.commands")
    users = {m.name for m in modules() for one in m.imports if inside(one.target, commands)}
    assert {name for name in users if not inside(name, commands)} == set()


def test_the_top_level_holds_what_was_agreed() -> None:
    assert {name.split("/")[0] for name in files()} <= TOP_LEVEL


# With brackets in the words, so that this file does not find itself.
MACHINE_PATHS = re.compile(rb"(?<![\w.~>:/-])/(h[o]me|r[o]ot|w[o]rk|U[s]ers|m[n]t|s[r]v|t[m]p)/\w")
REGISTRIES = re.compile(rb"p[y]pi\.org|p[y]thonhosted|n[p]mjs\.org|deb\.[d]ebian\.org|proxy\.[g]olang")


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRIES], ids=["machine paths", "registries"])
def test_no_file_names(pattern: re.Pattern[bytes]) -> None:
    found = {name: match.group() for name in files() if (match := pattern.search((ROOT / name).read_bytes()))}
    text = {name: match for name, match in found.items() if b"\0" not in (ROOT / name).read_bytes()}
    assert text == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(MACHINE_PATHS, "'/h*ome/me/x'"), (MACHINE_PATHS, "in /w*ork/x"), (REGISTRIES, "https://p*ypi.org/simple")],
)
def test_such_names_are_found(pattern: re.Pattern[bytes], text: str) -> None:
    assert pattern.search(text.replace("*", "").encode())


def test_the_processes_a_deployment_starts_share_no_code_with_what_repairs_them() -> None:
    assert not [
        m.name
        for m in modules()
        if inside(m.name, ("deployhook",)) and any(inside(i.target, ("daemon",)) for i in m.imports)
    ]
