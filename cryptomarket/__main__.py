"""python -m cryptomarket, and the console script."""

import sys
from importlib import import_module

from cryptomarket.terminal.door import COMMANDS, NAMES


def main() -> None:
    """Whoever reads a gateway does not wait for the parts of one to be loaded."""
    if sys.argv[1:] and sys.argv[1] in NAMES:
        import_module(COMMANDS).app()
    else:
        import_module("cryptomarket.cli").main()


if __name__ == "__main__":
    main()
