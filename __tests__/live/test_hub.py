"""Seats, and the picture they share."""

import asyncio

import pytest

from __tests__.live.pipe import Pipe
from __tests__.live.world import EPOCH, START_MS, Event, Hands, events_of, published, set_change, status, tick
from cryptomarket.backplane.bus import Picture
from cryptomarket.live.hub import Hub
from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.live.transport import chunk_of
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Change


@pytest.fixture
def hub() -> Hub:
    return Hub(Position(EPOCH, 0), Hands().clock())


def seated(hub: Hub, *tickers: str, user: str = "u", follows: bool = False, bound: int = 100_000) -> Seat:
    seat = Seat(LogMailbox(bound), user, follows_set=follows)
    hub.admit(seat)
    hub.place(seat, tickers, 0)
    return seat


def heard(seat: Seat) -> list[Event]:
    return [event for entry in seat.mailbox.take() for event in events_of(entry.frame)]


def test_only_who_wants_a_ticker_hears_it(hub: Hub) -> None:
    """Broadcast goes to the seats of the ticker, and the same bytes to each."""
    one, both, other = seated(hub, "btc_usd"), seated(hub, "btc_usd", "eth_usd"), seated(hub, "eth_usd")
    hub.broadcast([published(tick("btc_usd"), 1)])
    [first], [second] = one.mailbox.take(), both.mailbox.take()
    assert first.frame is second.frame
    assert other.mailbox.take() == []
    assert hub.position == Position(EPOCH, 1)


def test_who_has_left_hears_nothing_and_holds_nothing(hub: Hub) -> None:
    """Neither a seat nor a ticker stays behind, and demand is told when it changes."""
    seat = seated(hub, "btc_usd", follows=True)
    assert hub.tickers == {"btc_usd"}
    hub.demand_changed.clear()
    hub.dismiss(seat)
    hub.dismiss(seat)
    assert hub.demand_changed.is_set()
    assert not hub.tickers
    assert not hub.seats
    hub.broadcast([published(tick("btc_usd"), 1), set_change(Change.SUBSCRIBED, "eth_usd", ["eth_usd"], 1, 2)])
    assert seat.mailbox.take() == []
    assert not hub.tickers


def test_demand_rings_for_the_first_and_the_last_of_a_ticker(hub: Hub) -> None:
    """A second reader of a ticker changes nothing upstream."""
    first = seated(hub, "btc_usd")
    hub.demand_changed.clear()
    second = seated(hub, "btc_usd")
    hub.dismiss(first)
    assert not hub.demand_changed.is_set()
    hub.dismiss(second)
    assert hub.demand_changed.is_set()


def test_the_picture_is_the_last_of_each_kind(hub: Hub) -> None:
    """`last_seq` counts all three kinds; the tick of a former epoch yields to the first of this one."""
    hub.recall("btc_usd", b"{}")
    assert hub.picture("btc_usd") == Picture(remembered=b"{}")
    a_tick, a_status = published(tick("btc_usd"), 1), published(status("btc_usd"), 2, 1)
    hub.broadcast([a_tick, a_status])
    assert hub.picture("btc_usd") == Picture(tick=a_tick, status=a_status, last_seq=2)
    hub.recall("btc_usd", b"{}")
    assert hub.picture("btc_usd").remembered is None
    assert hub.picture("eth_usd") == Picture()


def test_one_slow_reader_is_let_go_alone(hub: Hub) -> None:
    """On overflow the stream ends with `slow`, counted once; the others hear everything."""
    slow, quick = seated(hub, "btc_usd", bound=10), seated(hub, "btc_usd")
    hub.broadcast([published(tick("btc_usd"), seq) for seq in (1, 2, 3)])
    assert slow.reason is Reason.SLOW
    assert slow.left.is_set()
    assert hub.slow_count == 1
    assert quick.reason is None
    assert [event.data["seq"] for event in heard(quick)] == [1, 2, 3]


def test_a_change_reaches_every_stream_of_its_user_alone(hub: Hub) -> None:
    """`subscribed` with its snapshot, as one group whose last event carries the id; then the ticker's events."""
    mine, too = seated(hub, follows=True), seated(hub, follows=True)
    fixed, another = seated(hub, "eth_usd"), seated(hub, user="v", follows=True)
    hub.broadcast([published(tick("btc_usd"), 1)])
    hub.broadcast([set_change(Change.SUBSCRIBED, "btc_usd", ["btc_usd"], 1, 2), published(tick("btc_usd"), 3, 1)])
    for seat in (mine, too):
        told, snapshot, message = heard(seat)
        assert (told.name, told.id) == ("subscribed", None)
        assert told.data == {"ticker": "btc_usd", "tickers": ["btc_usd"], "seq": 2}
        assert (snapshot.name, snapshot.id) == ("snapshot", Position(EPOCH, 2))
        assert (snapshot.data["seq"], snapshot.data["last_seq"]) == (1, 1)
        assert message.data["seq"] == 3
    assert heard(fixed) == []
    assert heard(another) == []


def test_a_cancelled_ticker_is_told_and_silent_afterwards(hub: Hub) -> None:
    """`unsubscribed`, with its own id; no event of the ticker after it."""
    seat = seated(hub, "btc_usd", "eth_usd", follows=True)
    hub.broadcast([set_change(Change.UNSUBSCRIBED, "btc_usd", ["eth_usd"], 1, 1), published(tick("btc_usd"), 2)])
    [told] = heard(seat)
    assert (told.name, told.id) == ("unsubscribed", Position(EPOCH, 1))
    assert told.data == {"ticker": "btc_usd", "tickers": ["eth_usd"], "seq": 1}
    assert hub.tickers == {"eth_usd"}


def test_an_older_change_that_comes_late_counts_no_more(hub: Hub) -> None:
    """Versions decide: two changes heard in the other order still end with the right set."""
    seat = seated(hub, follows=True)
    hub.broadcast([set_change(Change.SUBSCRIBED, "eth_usd", ["btc_usd", "eth_usd"], 2, 1)])
    hub.broadcast([set_change(Change.SUBSCRIBED, "btc_usd", ["btc_usd"], 1, 2)])
    assert seat.tickers == {"btc_usd", "eth_usd"}
    assert [event.data["ticker"] for event in heard(seat) if event.name == "subscribed"] == ["btc_usd", "eth_usd"]


def test_a_change_that_was_missed_is_made_up_for_by_the_next(hub: Hub) -> None:
    """All that differs is told at once; the id, which promises all of it, comes with the last."""
    seat = seated(hub, "ada_usd", follows=True)
    hub.broadcast([set_change(Change.SUBSCRIBED, "eth_usd", ["btc_usd", "eth_usd"], 9, 1)])
    events = heard(seat)
    assert [(event.name, event.data["ticker"]) for event in events] == [
        ("unsubscribed", "ada_usd"), ("subscribed", "btc_usd"), ("snapshot", "btc_usd"), ("subscribed", "eth_usd"),
        ("snapshot", "eth_usd"),
    ]  # fmt: skip
    assert [event.id for event in events] == [None, None, None, None, Position(EPOCH, 1)]


def test_a_change_that_comes_before_the_seat_is_placed_is_not_lost(hub: Hub) -> None:
    """Between admission and placing, newer changes count already, and older ones don't any more."""
    seat = Seat(LogMailbox(10_000), "u", follows_set=True)
    hub.admit(seat)
    hub.broadcast(
        [
            set_change(Change.SUBSCRIBED, "btc_usd", ["btc_usd"], 1, 1),
            set_change(Change.SUBSCRIBED, "eth_usd", ["btc_usd", "eth_usd"], 2, 2),
        ]
    )
    hub.place(seat, ["btc_usd"], 1)
    assert seat.tickers == {"btc_usd", "eth_usd"}
    assert seat.version == 2
    assert heard(seat) == []
    hub.broadcast([published(tick("eth_usd"), 3)])
    assert [event.data["seq"] for event in heard(seat)] == [3]


def test_beginning_anew_ends_what_was_before(hub: Hub) -> None:
    """Streams of the order before hear nothing that lies beyond what was missed: no id of theirs may promise it."""
    seat = seated(hub, "btc_usd", follows=True)
    hub.broadcast([published(tick("btc_usd"), 1)])
    hub.begin(Position(EPOCH, 100), {"btc_usd": Picture(tick=published(tick("btc_usd"), 90), last_seq=99)})
    hub.broadcast([published(tick("btc_usd"), 101, 99), set_change(Change.SUBSCRIBED, "a_usd", ["a_usd"], 1, 102)])
    assert [event.id for event in heard(seat)] == [Position(EPOCH, 1)]
    assert seat.reason is Reason.DRAIN
    assert hub.position == Position(EPOCH, 102)
    assert hub.picture("btc_usd").last_seq == 101


def connected(hub: Hub, *tickers: str, follows: bool = False) -> tuple[Seat, Pipe]:
    """A seat on the fast path, whose reader takes nothing."""
    seat, pipe = seated(hub, *tickers, follows=follows), Pipe(lambda: None)
    hub.connect(seat, pipe.line)
    return seat, pipe


async def test_beginning_anew_also_silences_who_is_written_to_directly(hub: Hub) -> None:
    """Promise: what was published before leaves, and nothing of the new order follows, even in the same turn."""
    seat, pipe = connected(hub, "btc_usd")
    hub.broadcast([published(tick("btc_usd"), 1)])
    hub.begin(Position(EPOCH, 100), {})
    hub.broadcast([published(tick("btc_usd"), 101, 99)])
    hub.disconnect(seat)
    told = [event.id for body in pipe.take() for event in events_of(body)]
    assert told == [Position(EPOCH, 1)]
    assert seat.told.events == 1


def test_what_comes_together_leaves_at_once_and_in_one_write(hub: Hub) -> None:
    """Promise: a batch is one write for each reader who wants any of it, before the loop turns."""
    (_, both), (_, one), (_, none) = [
        connected(hub, *tickers) for tickers in (("btc_usd", "eth_usd"), ("eth_usd",), ("sol_usdc",))
    ]
    hub.broadcast([published(tick("btc_usd"), 1), published(tick("eth_usd"), 2), published(tick("eth_usd"), 3, 2)])
    hub.broadcast([published(tick("btc_usd"), 4, 1)])
    writes = [[[event.data["seq"] for event in events_of(body)] for body in pipe.take()] for pipe in (both, one, none)]
    assert writes == [[[1, 2, 3], [4]], [[2, 3]], []]


async def test_who_lagged_before_he_went_live_is_watched(hub: Hub) -> None:
    """Promise: a reader who stalls while he is told the past is bounded in bytes as any other is."""
    hub = Hub(Position(EPOCH, 0), Hands().clock(), backlog_bytes=200_000)
    seat, pipe = seated(hub, "btc_usd"), Pipe(lambda: None)
    pipe.write(chunk_of(b"x" * 100_000))
    assert pipe.line.lags
    hub.connect(seat, pipe.line)
    for seq in range(1, 1001):
        hub.broadcast([published(tick("btc_usd"), seq, seq - 1 or None)])
    assert seat.reason is Reason.SLOW
    assert pipe.get_write_buffer_size() < 210_000


async def test_changes_of_a_set_are_bounded_too(hub: Hub) -> None:
    """Promise: memory per stream is bounded, also where its user changes his set and nothing else happens."""
    hub = Hub(Position(EPOCH, 0), Hands().clock(), backlog_bytes=10_000)
    seat, pipe = connected(hub, follows=True)
    for seq in range(1, 201):
        change = (Change.UNSUBSCRIBED, Change.SUBSCRIBED)[seq % 2]
        hub.broadcast([set_change(change, "btc_usd", ["btc_usd"] if seq % 2 else [], seq, seq)])
    assert seat.reason is Reason.SLOW
    assert hub.slow_count == 1
    assert pipe.get_write_buffer_size() < 11_000


def test_the_first_reason_stands(hub: Hub) -> None:
    """A stream is told one reason, whatever happens on its way out."""
    seat = seated(hub, "btc_usd")
    seat.leave(Reason.REVOKED)
    hub.drain()
    assert seat.reason is Reason.REVOKED


def test_a_revocation_ends_the_streams_that_were_opened_with_it(hub: Hub) -> None:
    """The token dies; other streams of the same user live on."""
    dying = Seat(LogMailbox(1000), "u", dies_with=lambda subject: subject == "token-1")
    living = Seat(LogMailbox(1000), "u", dies_with=lambda subject: subject == "token-2")
    for seat in (dying, living):
        hub.admit(seat)
    hub.end("token-1")
    assert (dying.reason, living.reason) == (Reason.REVOKED, None)


def test_draining_also_ends_who_comes_afterwards(hub: Hub) -> None:
    """A process that stops seats nobody any more."""
    early = seated(hub, "btc_usd")
    hub.drain()
    late = seated(hub, "btc_usd")
    assert (early.reason, late.reason) == (Reason.SHUTDOWN, Reason.SHUTDOWN)


async def test_reached_returns_when_everything_up_to_there_was_broadcast(hub: Hub) -> None:
    """Whoever waits for a position is woken by it, also when the hub begins anew beyond it."""
    waiting = [asyncio.create_task(hub.reached(seq)) for seq in (2, 50)]
    hub.broadcast([published(tick("btc_usd"), 1)])
    assert not waiting[0].done()
    hub.broadcast([published(tick("btc_usd"), 2, 1)])
    async with asyncio.timeout(5):
        await waiting[0]
    hub.begin(Position(EPOCH, 60), {})
    async with asyncio.timeout(5):
        await waiting[1]
    assert hub.position.seq == 60


def test_a_snapshot_is_the_picture_as_of_the_position(hub: Hub) -> None:
    """What a seat is told when it sits down is what everybody was told before."""
    hub.broadcast([published(tick("btc_usd"), 1), published(status("btc_usd", FeedState.LIVE), 2, 1)])
    [told] = events_of(hub.snapshot("btc_usd", id_=hub.position))
    assert told.id == Position(EPOCH, 2)
    assert (told.data["state"], told.data["since_ms"], told.data["last_seq"]) == ("live", START_MS, 2)
