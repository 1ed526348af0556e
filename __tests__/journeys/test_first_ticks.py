"""The first thing a newcomer does: start, open a stream, see prices move, come back."""

from pathlib import Path

from __tests__.journeys.gateway import gateway, reading


async def test_a_stream_tells_ticks_and_is_resumed(tmp_path: Path) -> None:
    """Promise: `connected`, a snapshot, ticks with a gapless chain; back with the last id, `complete` and no crack."""
    async with gateway(tmp_path) as gate:
        token, user_id = await gate.login()
        async with reading(gate, token, tickers="btc_usd,BTC-PERPETUAL") as first:
            await first.until(lambda reader: len(reader.named("message")) > 5)
            connected = first.named("connected")[0]
            assert connected["user_id"] == user_id
            assert connected["exchange"] == "simulator"
            assert connected["tickers"] == ["BTC-PERPETUAL", "btc_usd"]
            last_id = first.last_id
        async with reading(gate, token, headers={"Last-Event-ID": last_id}, tickers="btc_usd,BTC-PERPETUAL") as second:
            await second.until(lambda reader: len(reader.named("message")) > 5)
        assert second.named("connected")[0]["resume"] == "complete"
        assert second.named("connected")[0]["position"] == last_id
        last_seq_of: dict[str, int] = {}
        for told in first.named("message", "status", "gap") + second.named("message", "status", "gap"):
            if told["ticker"] in last_seq_of:
                assert told["prev_seq"] == last_seq_of[told["ticker"]]
            last_seq_of[told["ticker"]] = told["seq"]
