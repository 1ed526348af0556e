"""What a process stands on, looked at once before it begins: what can't be is a sentence, and nothing was begun.

`python -m cryptomarket.grounds` does so for one that would not hold for ever what is loaded for it.
"""

import asyncio
import sys

import typer

from cryptomarket.clock import Clock
from cryptomarket.errors import StartRefused
from cryptomarket.foundation import open_backplane, open_database
from cryptomarket.settings import Settings, load_settings
from cryptomarket.telemetry import configure_logging


async def check_grounds(settings: Settings) -> None:
    """Opens the backplane and the database, which is made and upgraded as at any start, and closes them.

    Raises StartRefused.
    """
    async with open_backplane(settings, Clock.system()), open_database(settings):
        return


def main() -> None:
    """Exit status 2 and a sentence when it can't be."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        asyncio.run(check_grounds(settings))
    except StartRefused as refusal:
        typer.echo(f"cryptomarket: {refusal}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
