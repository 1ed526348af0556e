"""What the routes of this room work with."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.cache import Cache
from cryptomarket.clock import Clock
from cryptomarket.history.exports import LIMITS, ExportLimits, Exports
from cryptomarket.history.figures import Figures
from cryptomarket.history.hot import Hot
from cryptomarket.history.listing import Listing
from cryptomarket.history.public import PublicPrices
from cryptomarket.history.questions import History
from cryptomarket.history.reach import Reach
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Directory


@dataclass(frozen=True, slots=True)
class HistoryParts:
    """In `request.state.history`."""

    history: History
    figures: Figures
    hot: Hot
    exports: Exports
    public: PublicPrices
    listing: Listing
    clock: Clock


def build_history(
    repository: Repository,
    bus: Bus,
    cache: Cache,
    public: PublicPrices,
    directory: Directory,
    clock: Clock,
    *,
    is_silent: Callable[[str], bool] = lambda _ticker: False,
    limits: ExportLimits = LIMITS,
) -> HistoryParts:
    """Everything that answers questions about what was stored. `is_silent` is as for Reach."""
    reach = Reach(bus, clock=clock, is_silent=is_silent)
    history = History(repository, bus, clock=clock, reach=reach)
    figures = Figures(repository, reach, clock=clock)
    return HistoryParts(
        history=history,
        figures=figures,
        hot=Hot(history, figures, reach, clock=clock),
        exports=Exports(repository, reach, cache, clock=clock, limits=limits),
        public=public,
        listing=Listing(directory, repository),
        clock=clock,
    )
