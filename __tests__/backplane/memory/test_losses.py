"""One ticker's loss, which only grows."""

from cryptomarket.backplane.bus import Loss
from cryptomarket.backplane.memory.losses import with_lost
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind


def lost(seq: int, payload: bytes = b"{}") -> Publication:
    return Publication(Position("e", seq), PublicationKind.TICK, "a", None, payload)


def test_a_loss_reaches_from_its_first_to_its_last_in_whatever_order_they_come() -> None:
    """Promise: what a dead consumer held is older than what was given up before it was known to be lost."""
    loss = with_lost(with_lost(with_lost(None, lost(7, b'{"timestamp":70}')), lost(3)), lost(5, b'{"timestamp":50}'))
    assert loss == Loss("a", Position("e", 3), 7, 3, 50, 70)
