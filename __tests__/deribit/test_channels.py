"""Wanted against held: every channel gets there, within the exchange's limits, and nothing else stays."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.deribit.channels import SUBSCRIBE, UNSUBSCRIBE, Call, Channels, batches, slower
from cryptomarket.deribit.messages import Request

names = st.lists(st.text(st.characters(codec="utf-8", exclude_characters='"\\'), min_size=1, max_size=120), max_size=60)


@given(names, st.integers(1, 20), st.integers(210, 2000))
def test_batches_keep_all_channels_in_order_and_within_both_limits(
    channels: list[str], max_channels: int, max_bytes: int
) -> None:
    made = list(batches(channels, max_channels=max_channels, max_bytes=max_bytes))
    assert [channel for batch in made for channel in batch] == channels
    for batch in made:
        assert 1 <= len(batch) <= max_channels
        frame = msgspec.json.encode(Request(10**9, "private/unsubscribe", {"channels": batch}))
        assert len(frame) <= max_bytes or len(batch) == 1


def test_five_hundred_long_names_are_more_than_one_frame() -> None:
    channels = [f"ticker.{'X' * 60}-{number}.100ms" for number in range(500)]
    assert len(list(batches(channels))) == 2
    assert len(list(batches([f"ticker.B-{number}.100ms" for number in range(501)]))) == 2


def settle(channels: Channels, existing: frozenset[str]) -> tuple[set[str], set[str]]:
    """Plays an exchange where these channels exist, until nothing is left to do. Returns (held, refused) as told."""
    held: set[str] = set()
    refused: set[str] = set()
    for _ in range(200):
        call = channels.next_call()
        if call is None:
            return held, refused
        if call.method == UNSUBSCRIBE:
            channels.unsubscribed(call)
        else:
            told = channels.subscribed(call, [channel for channel in call.channels if channel in existing])
            held.update(told[0])
            refused.update(told[1])
    raise AssertionError("it never comes to rest")


some = st.frozensets(st.sampled_from([f"ticker.{letter}.{pace}" for letter in "ABCD" for pace in ("raw", "100ms")]))


@given(st.lists(st.tuples(some, st.booleans(), st.booleans()), min_size=1, max_size=8), some)
def test_whatever_is_wanted_in_whatever_order_is_held_in_the_end(
    wishes: list[tuple[frozenset[str], bool, bool]], existing: frozenset[str]
) -> None:
    channels = Channels()
    raw_refused = False
    for wanted, refuse_raw, settles in wishes:
        channels.want(wanted)
        if refuse_raw:
            channels.raw_refused()
            raw_refused = True
        if settles:
            settle(channels, existing)
    settle(channels, existing)
    spoken = {slower(name) if raw_refused else name for name in wishes[-1][0]}
    held = {slower(name) if raw_refused else name for name in channels.held}
    # A raw channel that was held before raw was refused is still one the exchange gives.
    assert held >= spoken & existing
    assert set(channels.held) <= wishes[-1][0]


def test_what_the_exchange_leaves_out_is_refused_once_and_asked_again_after_a_loss() -> None:
    channels = Channels()
    channels.want(["ticker.NOPE.100ms", "ticker.B.100ms"])
    assert settle(channels, frozenset({"ticker.B.100ms"})) == ({"ticker.B.100ms"}, {"ticker.NOPE.100ms"})
    channels.want(["ticker.NOPE.100ms", "ticker.B.100ms"])
    assert channels.next_call() is None
    assert channels.lost() == ("ticker.B.100ms",)
    assert channels.next_call() == Call(SUBSCRIBE, ("ticker.B.100ms", "ticker.NOPE.100ms"))


def test_a_refused_channel_is_asked_for_again_once_it_was_given_up() -> None:
    channels = Channels()
    channels.want(["ticker.NOPE.100ms"])
    settle(channels, frozenset())
    channels.want([])
    channels.want(["ticker.NOPE.100ms"])
    assert channels.next_call() == Call(SUBSCRIBE, ("ticker.NOPE.100ms",))


def test_a_channel_taken_out_and_put_back_at_once_is_subscribed_anew() -> None:
    channels = Channels()
    channels.want(["ticker.B.100ms"])
    settle(channels, frozenset({"ticker.B.100ms"}))
    channels.want([])
    channels.want(["ticker.B.100ms"])
    first = channels.next_call()
    assert first == Call(UNSUBSCRIBE, ("ticker.B.100ms",))
    channels.unsubscribed(first)
    assert channels.next_call() == Call(SUBSCRIBE, ("ticker.B.100ms",))


def test_where_raw_is_refused_news_come_slower_under_the_asked_name() -> None:
    channels = Channels()
    channels.want(["ticker.B.raw", "platform_state"])
    channels.raw_refused()
    call = channels.next_call()
    assert call == Call(SUBSCRIBE, ("platform_state", "ticker.B.100ms"))
    assert channels.subscribed(call, call.channels) == (("platform_state", "ticker.B.raw"), ())
    assert channels.asked_name("ticker.B.100ms") == "ticker.B.raw"
    assert not channels.held_raw
    assert channels.want(["ticker.B.100ms", "platform_state"]) == ("ticker.B.100ms",)
    assert channels.next_call() is None
    assert channels.asked_name("ticker.B.100ms") == "ticker.B.100ms"


def test_what_was_accepted_after_nobody_wanted_it_any_more_is_given_up() -> None:
    channels = Channels()
    channels.want(["ticker.B.100ms"])
    call = channels.next_call()
    assert call is not None
    channels.want([])
    channels.subscribed(call, call.channels)
    assert channels.next_call() == Call(UNSUBSCRIBE, ("ticker.B.100ms",))


def test_only_an_interval_is_slowed() -> None:
    assert slower("ticker.BTC-PERPETUAL.raw") == "ticker.BTC-PERPETUAL.100ms"
    assert slower("ticker.BTC-PERPETUAL.100ms") == "ticker.BTC-PERPETUAL.100ms"
    assert slower("platform_state") == "platform_state"
    assert slower("raw") == "raw"


def _has_put_off(channels: Channels) -> bool:
    # Asked anew each time: a type checker takes a property for a value that stays.
    return channels.has_put_off


def test_what_was_put_off_is_asked_for_again_when_its_time_comes_and_not_before() -> None:
    channels = Channels()
    channels.want(["ticker.A.100ms", "ticker.B.100ms"])
    assert channels.put_off(Call(SUBSCRIBE, ("ticker.A.100ms",))) == ("ticker.A.100ms",)
    assert _has_put_off(channels)
    assert channels.next_call() == Call(SUBSCRIBE, ("ticker.B.100ms",))
    channels.want(["ticker.A.100ms"])
    assert channels.next_call() is None
    channels.take_up()
    assert not _has_put_off(channels)
    assert channels.next_call() == Call(SUBSCRIBE, ("ticker.A.100ms",))
    channels.put_off(Call(SUBSCRIBE, ("ticker.A.100ms",)))
    channels.want([])
    assert not _has_put_off(channels)
