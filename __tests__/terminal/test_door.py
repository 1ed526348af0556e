"""These commands are there when somebody asks, and cost a server nothing."""

import subprocess
import sys

from typer.testing import CliRunner

from cryptomarket.cli import app
from cryptomarket.terminal.door import NAMES


def test_the_help_names_them_and_the_others() -> None:
    """Promise: readers' and servers' commands are one command line."""
    said = CliRunner().invoke(app, ["--help"]).output
    for name in (*NAMES, "up", "serve", "keys"):
        assert name in said
    assert "tail" in CliRunner().invoke(app, ["tail", "--help"]).output
    assert CliRunner().invoke(app, ["sing"]).exit_code == 2


def test_a_server_does_not_load_them() -> None:
    """Promise: what reads a gateway takes no memory of the processes that are one."""
    look = "import sys, cryptomarket.cli; print([n for n in ('httpx2', 'rich.live', 'plotext') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
