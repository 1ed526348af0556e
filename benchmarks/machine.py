"""On what was measured: the kind of machine and its software, and nothing that names this one."""

import os
import platform
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cryptomarket import __version__


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on."""

    cpu: str
    cores: int
    memory_mb: int
    kernel: str
    python: str
    open_files: int
    versions: dict[str, str]


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else "unknown"


def _version_of(program: str, *arguments: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        return "absent"
    said = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return _first(r"(\d+\.\d+(?:\.\d+)?)", said.stdout + said.stderr)


def _commit() -> str:
    """Which state of the code this is; with a plus sign when it is none that was committed."""
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def asked(*words: str) -> str:
        found = subprocess.run([git, *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return found.stdout.strip()

    changed = asked("status", "--porcelain", "--untracked-files=no", "--", "../cryptomarket", ".")
    return (asked("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def this_machine() -> Machine:
    """The machine at hand."""
    memory_kb = _first(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return Machine(
        cpu=_first(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        memory_mb=int(memory_kb) // 1024 if memory_kb.isdigit() else 0,
        kernel=platform.release(),
        python=platform.python_version(),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        versions={
            "cryptomarket": f"{__version__} ({_commit()})",
            "uvicorn": version("uvicorn"),
            "uvloop": version("uvloop"),
            "redis-server": _version_of("redis-server", "--version"),
            "nginx": _version_of("nginx", "-v"),
            "gcc": _version_of("gcc", "-dumpfullversion"),
        },
    )
