"""What is done for the catalogue from time to time."""

from cryptomarket.catalog.directory import Catalogue


async def refresh_catalogue(catalogue: Catalogue) -> dict[str, object]:
    """Takes over what the exchange has listed since. Raises ExchangeError and ExchangeUnavailable; what was known then
    stays.
    """
    before = len(catalogue)
    await catalogue.load()
    return {"instruments": len(catalogue), "more": len(catalogue) - before}
