"""What is done for accounts from time to time."""

from cryptomarket.accounts.profiles import Profiles


async def flush_persons(profiles: Profiles) -> dict[str, object]:
    """Writes everybody in the cache to the database. Twice does no harm. Raises BusUnavailable and
    DatabaseUnavailable.
    """
    return {"persons": await profiles.flush()}
