"""What waits for a reader: everything within a bound, or the newest of each."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from __tests__.live.world import EPOCH, START_MS, events_of, gap, published, status, tick
from cryptomarket.live.events import event, frame_of
from cryptomarket.live.mailbox import Entry, LatestMailbox, LogMailbox
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Change, Publication, PublicationKind, decode_gap

TICKERS = ("btc_usd", "eth_usd")


def entry(seq: int, kind: str = "tick", ticker: str = "btc_usd") -> Entry:
    """An event that waits. A gap spans [seq, seq + 1) seconds."""
    if kind in {"subscribed", "unsubscribed"}:
        position = Position(EPOCH, seq)
        told = Publication(position, PublicationKind.SET_CHANGE, ticker, None, b"{}", "u")
        return Entry(told, event(kind, {"ticker": ticker, "seq": seq}, id_=position), Change(kind))
    outgoing = {
        "tick": tick(ticker, START_MS + seq),
        "status": status(ticker, FeedState.DOWN, START_MS + seq),
        "gap": gap(ticker, seq * 1000, seq * 1000 + 1000),
    }[kind]
    publication = published(outgoing, seq)
    return Entry(publication, frame_of(publication))


def told(entries: list[Entry]) -> list[tuple[int, str]]:
    """(seq, event's name) of what was taken."""
    return [(each.publication.seq, events_of(each.frame)[0].name) for each in entries]


def test_a_log_hands_out_everything_in_order_once() -> None:
    """mode=all loses nothing within its bound."""
    box = LogMailbox(10_000)
    for seq in (3, 4, 7):
        box.offer(entry(seq))
    assert box.ready.is_set()
    assert box.first_waiting() == 3
    assert [seq for seq, _ in told(box.take())] == [3, 4, 7]
    assert box.take() == []
    assert not box.ready.is_set()
    assert box.first_waiting() is None


def test_a_log_is_bounded_in_bytes() -> None:
    """One byte beyond the bound lets the reader go for good: what would have a hole is not handed out at all."""
    frame = entry(1).frame
    box = LogMailbox(2 * len(frame))
    overflowed = []
    for seq in (1, 2, 3):
        box.offer(entry(seq))
        overflowed.append(box.overflowed)
    assert overflowed == [False, False, True]
    assert box.ready.is_set()
    box.offer(entry(4))
    assert box.take() == []


def test_reading_makes_room_again() -> None:
    """The bound is on what waits, not on what ever came."""
    box = LogMailbox(len(entry(49).frame))
    for seq in range(1, 50):
        box.offer(entry(seq))
        assert [each for each, _ in told(box.take())] == [seq]
    assert not box.overflowed


def test_newer_replaces_and_leaves_in_order_of_position() -> None:
    """At most one tick and one status wait per ticker; the newer takes the newer position."""
    box = LatestMailbox()
    for seq, kind, ticker in [
        (1, "tick", "btc_usd"), (2, "tick", "eth_usd"), (3, "status", "btc_usd"), (4, "tick", "btc_usd"),
        (5, "status", "btc_usd"),
    ]:  # fmt: skip
        box.offer(entry(seq, kind, ticker))
    assert box.first_waiting() == 2
    assert told(box.take()) == [(2, "message"), (4, "message"), (5, "status")]
    assert not box.ready.is_set()
    assert not box.urgent.is_set()


def test_gaps_merge_where_the_first_was() -> None:
    """First from_ms, last to_ms. An id between the two promises the first, so that is where both are told."""
    box = LatestMailbox()
    for seq, kind in [(1, "gap"), (2, "tick"), (3, "gap"), (4, "gap")]:
        box.offer(entry(seq, kind))
    assert box.first_waiting() == 1
    taken = box.take()
    assert told(taken) == [(1, "gap"), (2, "message")]
    both = decode_gap(taken[0].publication.payload)
    assert (both.from_ms, both.to_ms) == (1000, 5000)
    assert events_of(taken[0].frame)[0].data["to_ms"] == 5000


def test_only_ticks_wait_for_a_beat() -> None:
    """A status, a gap or a set change brings the beat forward."""
    for kind in ("status", "gap", "subscribed", "unsubscribed"):
        box = LatestMailbox()
        box.offer(entry(1))
        assert box.ready.is_set()
        assert not box.urgent.is_set()
        box.offer(entry(2, kind))
        assert box.urgent.is_set()


def test_a_set_change_that_was_undone_is_not_told() -> None:
    """Net effect: subscribed and cancelled before it was read is nothing, and hurries nobody."""
    box = LatestMailbox()
    box.offer(entry(1, "tick", "eth_usd"))
    box.offer(entry(2, "subscribed"))
    box.offer(entry(3, "status"))
    box.offer(entry(4, "unsubscribed"))
    assert not box.urgent.is_set()
    assert told(box.take()) == [(1, "message")]


def test_a_cancelled_ticker_gets_nothing_more() -> None:
    """What waits of a ticker goes when it is cancelled, and the cancelling is told."""
    box = LatestMailbox()
    for seq, kind in [(1, "tick"), (2, "status"), (3, "gap"), (4, "unsubscribed")]:
        box.offer(entry(seq, kind))
    assert told(box.take()) == [(4, "unsubscribed")]


def test_cancelled_and_put_back_is_told_as_a_new_subscription() -> None:
    """The reader has missed what came between; the group's snapshot makes up for it."""
    box = LatestMailbox()
    for seq, kind in [(1, "tick"), (2, "unsubscribed"), (3, "subscribed"), (4, "tick")]:
        box.offer(entry(seq, kind))
    assert told(box.take()) == [(3, "subscribed"), (4, "message")]


def test_cancelled_put_back_and_cancelled_is_cancelled() -> None:
    """The reader still has it, so he must be told, however often the set changed meanwhile."""
    box = LatestMailbox()
    for seq, kind in [(1, "unsubscribed"), (2, "subscribed"), (3, "tick"), (4, "unsubscribed")]:
        box.offer(entry(seq, kind))
    assert told(box.take()) == [(4, "unsubscribed")]
    for seq, kind in [(5, "subscribed"), (6, "unsubscribed")]:
        box.offer(entry(seq, kind))
    assert box.take() == []


def test_changes_of_one_position_stay_in_their_order() -> None:
    """Only the last of a group carries its id, so none may leave after it."""
    box = LatestMailbox()
    box.offer(entry(1, "unsubscribed", "eth_usd"))
    box.offer(entry(5, "subscribed", "btc_usd"))
    box.offer(entry(5, "subscribed", "eth_usd"))
    assert [each.publication.ticker for each in box.take()] == ["btc_usd", "eth_usd"]


def test_pages_of_a_replay_go_beneath_what_came_meanwhile() -> None:
    """A later page is newer than an earlier one, and both are older than what is live."""
    box = LatestMailbox()
    box.offer(entry(30, "tick", "eth_usd"))
    box.offer(entry(31, "gap"))
    box.offer_earlier([entry(1), entry(2, "tick", "eth_usd"), entry(3, "gap")])
    box.offer_earlier([entry(11), entry(12, "status")])
    taken = box.take()
    assert told(taken) == [(3, "gap"), (11, "message"), (12, "status"), (30, "message")]
    assert decode_gap(taken[0].publication.payload).to_ms == 32_000


def test_a_cancelling_that_came_meanwhile_wins_over_the_replay() -> None:
    """A cancelled ticker gets nothing, also from a replay that began before."""
    box = LatestMailbox()
    box.offer(entry(30, "unsubscribed"))
    box.offer_earlier([entry(1), entry(2, "status")])
    assert told(box.take()) == [(30, "unsubscribed")]


def test_what_lies_above_goes_on_waiting() -> None:
    """The groups at a replay's end come before what is live."""
    box = LatestMailbox()
    for seq, kind, ticker in [(1, "tick", "btc_usd"), (9, "tick", "eth_usd"), (10, "status", "btc_usd")]:
        box.offer(entry(seq, kind, ticker))
    assert told(box.take_until(9)) == [(1, "message"), (9, "message")]
    assert box.ready.is_set()
    assert box.urgent.is_set()
    assert told(box.take_until(9)) == []
    assert told(box.take()) == [(10, "status")]


offers = st.lists(
    st.tuples(
        st.sampled_from(["tick", "tick", "status", "gap", "subscribed", "unsubscribed", "take"]),
        st.sampled_from(TICKERS),
    ),
    max_size=80,
)


@given(offers)
def test_conflation_is_bounded_ordered_and_reaches_the_last(steps: list[tuple[str, str]]) -> None:
    """Whatever comes: four events per ticker at most, in order of position, and the reader ends with the truth."""
    box = LatestMailbox()
    had = dict.fromkeys(TICKERS, True)
    reader = dict(had)
    newest: dict[tuple[str, str], int] = {}
    seen: dict[tuple[str, str], int] = {}
    last = 0
    for seq, (kind, ticker) in enumerate([*steps, ("take", "btc_usd")], start=1):
        if kind == "take":
            taken = box.take()
            per_ticker: dict[str, int] = defaultdict(int)
            for each in taken:
                per_ticker[each.publication.ticker] += 1
                assert each.publication.seq > last
                last = each.publication.seq
                name = events_of(each.frame)[0].name
                if name in {"subscribed", "unsubscribed"}:
                    reader[each.publication.ticker] = name == "subscribed"
                else:
                    assert reader[each.publication.ticker]
                    seen[each.publication.ticker, name] = each.publication.seq
            assert all(count <= 4 for count in per_ticker.values())
        elif kind in {"subscribed", "unsubscribed"}:
            if had[ticker] != (kind == "subscribed"):
                had[ticker] = kind == "subscribed"
                box.offer(entry(seq, kind, ticker))
                newest = {key: at for key, at in newest.items() if key[0] != ticker}
        elif had[ticker]:
            box.offer(entry(seq, kind, ticker))
            newest[ticker, "message" if kind == "tick" else kind] = seq
    assert reader == had
    for (ticker, name), seq in newest.items():
        # A gap that came later may have been told where the first was.
        assert seen[ticker, name] == seq or name == "gap"
