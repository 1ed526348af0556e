"""What is done for the catalogue from time to time."""

from cryptomarket.backplane.bus import Bus
from cryptomarket.catalog.bulletin import LOOK_AGAIN
from cryptomarket.catalog.directory import Catalogue


async def refresh_catalogue(catalogue: Catalogue, others: Bus | None = None) -> dict[str, object]:
    """Takes over what the exchange has listed since, and tells other processes to do so. Raises ExchangeError and
    ExchangeUnavailable; what was known then stays. Raises BusUnavailable.
    """
    before = len(catalogue)
    await catalogue.load()
    if others is not None:
        await others.notify(LOOK_AGAIN)
    return {"instruments": len(catalogue), "more": len(catalogue) - before}
