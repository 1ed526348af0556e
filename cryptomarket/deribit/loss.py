"""Why a connection was lost, in one phrase, without addresses: it is told to those who wait."""

import asyncio
from collections.abc import Iterator

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from cryptomarket.errors import ExchangeError, ExchangeUnavailable

_FORESEEN = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, ExchangeError, ExchangeUnavailable)


class Ended(Exception):
    """This connection is of no more use, for the reason told."""


def was_foreseen(error: BaseException) -> bool:
    """Whether everything in `error`, or in a group of them, is what happens to connections."""
    return all(isinstance(cause, (Ended, *_FORESEEN)) for cause in causes(error))


def reason_of(error: BaseException) -> str:
    """The phrase. Where several parts of a connection failed at once, the one that ended it on purpose knows why."""
    every = list(causes(error))
    cause = next((cause for cause in every if isinstance(cause, Ended)), every[0])
    match cause:
        case Ended() | ExchangeError() | ExchangeUnavailable():
            return str(cause)
        case ConnectionClosed():
            close = cause.rcvd
            return "the connection broke" if close is None else f"closed by the exchange ({close.code} {close.reason})"
        case InvalidStatus():
            return f"the exchange refused the connection with {cause.response.status_code}"
        case TimeoutError():
            return "no connection in time"
        case OSError():
            return "no connection"
    return type(cause).__name__


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves, out of whatever groups they are in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error


def let_cancellation_pass() -> None:
    """A task group that is failing already forgets that it was cancelled meanwhile (Python 3.11 and 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
