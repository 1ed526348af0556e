"""python -m scripts.lint_document: lets other people's tools judge the OpenAPI document, without a running gateway."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptomarket.app import create_app

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "node_modules" / ".bin"
# The tools would ask the world for newer versions of themselves, and tell it that they were used.
SILENT = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def document() -> bytes:
    """The OpenAPI document as the gateway serves it."""
    return json.dumps(create_app({}, exchange="simulator", body_limit_bytes=1).openapi()).encode()


def commands(file: Path) -> dict[str, Sequence[str]]:
    """What judges a document, by name. Whatever is said, a warning included, is a failure."""
    return {
        "spectral": [
            str(TOOLS / "spectral"),
            "lint",
            str(file),
            "--ruleset",
            str(ROOT / ".spectral.yaml"),
            "-F",
            "hint",
        ],
        "redocly": [str(TOOLS / "redocly"), "lint", str(file), "--config", str(ROOT / "redocly.yaml"), "--format=json"],
    }


def findings(judged: bytes) -> list[str]:
    """What the tools have to say of a document, empty when nothing."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "openapi.json"
        file.write_bytes(judged)
        for name, words in commands(file).items():
            said = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=110, env={**os.environ, **SILENT}
            )
            if said.returncode != 0 or (name == "redocly" and _problems(said.stdout)):
                found.append(f"{name}:\n{said.stdout}{said.stderr}")
    return found


def _problems(report: str) -> bool:
    return bool(json.loads(report)["problems"])


def main() -> None:
    """The command."""
    found = findings(document())
    print("\n".join(found) or "OpenAPI document: nothing found")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
