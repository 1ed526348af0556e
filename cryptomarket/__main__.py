"""python -m cryptomarket, and the console script."""

import gc
import sys
from importlib import import_module

from cryptomarket.terminal.door import COMMANDS, NAMES


def main() -> None:
    """Whoever reads a gateway does not wait for the parts of one to be loaded."""
    reads = bool(sys.argv[1:]) and sys.argv[1] in NAMES
    # Of what modules make while they are loaded nothing goes: to look for garbage meanwhile is a sixth of a start.
    gc.disable()
    commands = import_module(COMMANDS if reads else "cryptomarket.cli")
    gc.enable()
    commands.app()


if __name__ == "__main__":
    main()
