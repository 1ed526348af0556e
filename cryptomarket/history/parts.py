"""What the routes of this room work with."""

from dataclasses import dataclass

from cryptomarket.clock import Clock
from cryptomarket.history.questions import History
from cryptomarket.market.instruments import Directory


@dataclass(frozen=True, slots=True)
class HistoryParts:
    """In `request.state.history`."""

    history: History
    directory: Directory
    clock: Clock
