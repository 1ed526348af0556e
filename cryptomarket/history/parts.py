"""What the routes of this room work with."""

from dataclasses import dataclass

from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.history.figures import Figures
from cryptomarket.history.questions import History
from cryptomarket.history.reach import Reach
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Directory


@dataclass(frozen=True, slots=True)
class HistoryParts:
    """In `request.state.history`."""

    history: History
    figures: Figures
    directory: Directory
    clock: Clock


def build_history(repository: Repository, bus: Bus, directory: Directory, clock: Clock) -> HistoryParts:
    """Everything that answers questions about what was stored."""
    return HistoryParts(
        history=History(repository, bus, clock=clock),
        figures=Figures(repository, Reach(bus, clock=clock), clock=clock),
        directory=directory,
        clock=clock,
    )
