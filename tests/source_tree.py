"""The project's own files as values: what each imports, calls and names. Runs nothing of them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MADE_HERE = {
    ".git",
    ".venv",
    ".venv-bench",
    ".venv-hook",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
}
PACKAGES = ("daemon", "fonts_cache", "render", "deployhook")


@dataclass(frozen=True)
class Import:
    """One imported module. `lazy` stands inside a function, `typing` under `if TYPE_CHECKING`."""

    target: str
    line: int
    lazy: bool = False
    typing: bool = False


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its text and what that parses to."""

    name: str
    text: str
    tree: ast.Module

    @staticmethod
    def of(name: str, text: str) -> Module:
        return Module(name, text, ast.parse(text))

    @property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, lazy=False, typing=False))

    @property
    def dotted_names(self) -> set[str]:
        """Everything that is written as `a.b.c`, with `a` resolved through this file's imports."""
        bound = {
            alias.asname or alias.name: f"{node.module}.{alias.name}" for node in self._from for alias in node.names
        }
        return {_dotted(node, bound) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute | ast.Name)}

    @property
    def strings(self) -> list[str]:
        """Every string constant that is not a docstring."""
        docs = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        constants = (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and id(node) not in docs)
        return [node.value for node in constants if isinstance(node.value, str)]

    @property
    def _from(self) -> list[ast.ImportFrom]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]


def _dotted(node: ast.expr, bound: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return bound.get(node.id, node.id)
    return f"{_dotted(node.value, bound)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def _imports(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, lazy, typing) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: relative imports hide who imports whom"
            yield from (Import(target, child.lineno, lazy, typing) for target in _targets(child))
        elif isinstance(child, ast.Call) and ast.unparse(child.func).endswith("import_module"):
            yield from (
                Import(str(arg.value), child.lineno, True) for arg in child.args if isinstance(arg, ast.Constant)
            )
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from _imports(ast.Module(child.body, []), lazy, True)
            yield from _imports(ast.Module(child.orelse, []), lazy, typing)
            continue
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, lazy or is_function, typing)


def _targets(node: ast.ImportFrom) -> Iterator[str]:
    """`from daemon import errors` imports a module, `from daemon.errors import VixError` a name of one."""
    for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        yield inner if _is_module(inner) else str(node.module)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@cache
def files() -> tuple[str, ...]:
    """Every file that belongs to the project, as git sees it: known to it, or new and not ignored."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):  # no git here, or no repository: an unpacked archive
        listed = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not _MADE_HERE & set(path.parts)]
    return tuple(sorted({name for name in listed if name and (ROOT / name).is_file()}))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the packages."""
    names = [name for name in files() if name.endswith(".py") and name.split("/")[0] in PACKAGES]
    return tuple(Module.of(_module_name(name), (ROOT / name).read_text("utf-8")) for name in names)


def _module_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def reached(start: str, known: dict[str, Module]) -> dict[str, str]:
    """Everything that importing `start` imports, ours and others', each with the module that imports it."""
    found = {start: ""}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        parents = [".".join(name.split(".")[:end]) for end in range(1, name.count(".") + 1)]
        own = [one.target for one in known[name].imports if not (one.lazy or one.typing)] if name in known else []
        for target in [*parents, *own]:
            if target not in found:
                found[target] = name
                waiting.append(target)
    return found
