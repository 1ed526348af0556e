"""Channel names are read as Deribit reads them; what it would not know is not a channel."""

import pytest

from cryptomarket.simulator.channels import parse


@pytest.mark.parametrize(
    ("name", "family", "subject", "interval_us"),
    [
        ("ticker.BTC-PERPETUAL.raw", "ticker", "BTC-PERPETUAL", 0),
        ("ticker.XRP_USDC-30JUN26-0d625-C.100ms", "ticker", "XRP_USDC-30JUN26-0d625-C", 100_000),
        ("book.ETH-PERPETUAL.agg2", "book", "ETH-PERPETUAL", 1_000_000),
        ("book.BTC-PERPETUAL.none.10.100ms", "grouped_book", "BTC-PERPETUAL", 100_000),
        ("trades.option.any.100ms", "kind_trades", "option", 100_000),
        ("quote.ETH_USDC-PERPETUAL", "quote", "ETH_USDC-PERPETUAL", 0),
        ("chart.trades.BTC-PERPETUAL.1D", "chart", "BTC-PERPETUAL", 1_000_000),
        ("deribit_price_index.drbfix-btc_usdc", "index", "drbfix-btc_usdc", 1_000_000),
        ("markprice.options.btc_usd", "markprice", "btc_usd", 1_000_000),
        ("instrument.state.any.any", "instrument_state", "any", 0),
        ("platform_state.public_methods_state", "public_methods_state", "", 0),
        ("user.portfolio.btc", "private", "", 0),
    ],
)
def test_a_name_is_read(name: str, family: str, subject: str, interval_us: int) -> None:
    found = parse(name)
    assert found is not None
    assert (found.family, found.subject, found.interval_us) == (family, subject, interval_us)


@pytest.mark.parametrize(
    "name",
    ["", "ticker", "ticker.BTC-PERPETUAL", "ticker.BTC-PERPETUAL.10ms", "book.BTC-PERPETUAL.none.7.100ms",
     "book.BTC-PERPETUAL.3.10.100ms", "chart.trades.BTC-PERPETUAL.2", "deribit_volatility_index.sol_usdc",
     "instrument.state.thing.any", "trades.option.DOGECOIN.raw", "nonsense.btc_usd"],
)  # fmt: skip
def test_a_bad_depth_interval_or_word_is_no_channel(name: str) -> None:
    assert parse(name) is None
