"""Flower over the same queues, for who wants to look at tasks and workers in a browser.

    FLOWER_BASIC_AUTH=user:password python -m cryptomarket.flower

It listens on port 5555, or on FLOWER_PORT, and wants a password: from it, tasks can be ended and workers stopped.
"""

import asyncio
import os
import sys

import typer

from cryptomarket.broker import broker_app, log_as_we_do
from cryptomarket.errors import StartRefused
from cryptomarket.redis_link import check_redis
from cryptomarket.settings import load_settings

PASSWORD = "FLOWER_BASIC_AUTH"  # noqa: S105 - the name of a variable


def main() -> None:
    """Runs it until it is told to stop."""
    try:
        settings = load_settings()
        app = broker_app(settings)
        user, _, password = os.environ.get(PASSWORD, "").partition(":")
        if not user or not password:
            raise StartRefused(f"Whoever reaches Flower may stop workers: set {PASSWORD}=user:password.")
        asyncio.run(check_redis(settings))
    except StartRefused as refusal:
        typer.echo(f"cryptomarket: {refusal}", err=True)
        sys.exit(2)
    kept = log_as_we_do(settings)
    app.start(["flower", f"--address={settings.app_host}", "--max_tasks=1000"])
    assert kept is not None  # noqa: S101  the signal has only looked at it


if __name__ == "__main__":
    main()
