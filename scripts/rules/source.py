"""What the rules read: the files of the project, parsed once, and what the rules answer with."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeGuard


@dataclass(frozen=True, order=True)
class Finding:
    """One breach of a rule. `line` counts from 1; 1 also stands for a whole file."""

    path: str
    line: int
    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.sentence}"


@dataclass(frozen=True)
class Source:
    """One text file, by its path inside the project."""

    path: PurePosixPath
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file, or an empty module for what isn't Python."""
        return ast.parse(self.text if self.is_python else "", filename=str(self.path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    @property
    def room(self) -> str:
        """The top folder: `cryptomarket`, `__tests__`, `scripts`, … or the name of a file beside them."""
        return self.path.parts[0]

    def remark(self, line: int, mark: str) -> bool:
        """Whether the line, or the comment line right above it, carries `# mark:` and something after it."""
        here = self.lines[line - 1]
        above = self.lines[line - 2].strip() if line > 1 else ""
        return any(
            bool(text.partition(f"# {mark}:")[2].strip()) for text in (here, above if above.startswith("#") else "")
        )

    def finding(self, line: int, rule: str, sentence: str) -> Finding:
        return Finding(str(self.path), line, rule, sentence)


def read_project(root: Path) -> list[Source]:
    """Every text file that git tracks or would track below `root`, in order of path. Binary files are left out."""
    # The folder may belong to somebody else (a container's checkout); reading a list of names is safe there.
    command = ["git", "-c", f"safe.directory={root.resolve()}", "-C", str(root)]
    listing = subprocess.run(
        [*command, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    sources = []
    for name in sorted({name for name in listing.stdout.split("\0") if name}):
        path = root / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        sources.append(Source(PurePosixPath(name), text))
    return sources


def dotted(node: ast.expr) -> str:
    """`a.b.c` for such an expression, with subscripts (`asyncio.Queue[int]`) left out; empty for any other."""
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def is_function(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imported_modules(source: Source) -> list[tuple[int, str]]:
    """Line and full name of every module the file imports from; `from a.b import c` counts as `a.b.c`."""
    names: list[tuple[int, str]] = []
    for node in source.nodes:
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return names
