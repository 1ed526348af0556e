"""Keys."""

from cryptomarket.backplane.keys import Keys


def test_exchange_in_every_key() -> None:
    """Exchanges never meet in one Redis."""
    keys = Keys("simulator")
    names = [keys.order, keys.demand_bell, keys.cache("x"), keys.limit("x", 1, 2)]
    assert all(name.startswith("cryptomarket:simulator:") for name in names)
    assert len(set(names)) == len(names)
