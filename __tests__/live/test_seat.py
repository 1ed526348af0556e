"""A seat: whoever is asked to leave, or has gone, is told once and for all."""

from cryptomarket.live.mailbox import LatestMailbox
from cryptomarket.live.seat import Reason, Seat


def test_the_first_reason_stands_and_is_told_once() -> None:
    """A stream that is slow and then shut down was slow."""
    told: list[Reason | None] = []
    seat = Seat(LatestMailbox(), "u")
    seat.on_leave = lambda: told.append(seat.reason)
    seat.leave(Reason.SLOW)
    seat.leave(Reason.SHUTDOWN)
    assert told == [Reason.SLOW]
    assert seat.left.is_set()


def test_who_is_asked_to_leave_stops_waiting() -> None:
    """Whatever he waits for: an event, a beat, or the end."""
    seat = Seat(LatestMailbox(), "u")
    seat.leave(Reason.DRAIN)
    assert seat.mailbox.ready.is_set()
    assert seat.mailbox.urgent.is_set()


def test_who_has_gone_is_not_asked() -> None:
    """Nobody is there to hear a reason; all that waited for him stops."""
    told: list[str] = []
    seat = Seat(LatestMailbox(), "u")
    seat.on_leave = lambda: told.append("asked")
    seat.go()
    assert (told, seat.reason, seat.is_gone) == ([], None, True)
    assert seat.left.is_set()
    assert seat.mailbox.ready.is_set()
