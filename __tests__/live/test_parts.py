"""What the routes of this room are given."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from __tests__.live.served import served
from cryptomarket.live.parts import Places


async def test_the_places_of_the_accounts_are_places_of_streams(tmp_path: Path) -> None:
    """A place can be given back twice and counts once; parts can't be exchanged while they are used."""
    async with served(tmp_path) as gate:
        places: Places = gate.live.places
        place = places.take("u", "127.0.0.1")
        assert gate.accounts.places.open == 1
        place.release()
        place.release()
        assert gate.accounts.places.open == 0
        with pytest.raises(FrozenInstanceError):
            gate.live.tickers_limit = 1  # type: ignore[misc]  # that it can't be done is what is tested
