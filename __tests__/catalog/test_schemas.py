"""What is told of an instrument is what is documented."""

from decimal import Decimal

from cryptomarket.catalog.schemas import Ticker, told
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.wire import encode


def test_an_instrument_is_told_as_documented() -> None:
    """Promise: the answers are written past the schema for their digits' sake; they have its fields, no others."""
    option = Instrument("BTC-27DEC26-50000-C", Kind.OPTION, "BTC", "BTC", "BTC", "btc_usd", Decimal("0.0005"),
                        Decimal("1.0"), Decimal("50000.0"), "call", "open", True, 5, 9)  # fmt: skip
    for instrument in (option, Instrument("btc_usd", Kind.INDEX)):
        assert set(told(instrument)) == set(Ticker.model_fields)
        assert Ticker.model_validate_json(encode(told(instrument))).ticker == instrument.name
    assert b'"tick_size":0.0005' in encode(told(option))
    assert (told(option)["active"], told(option)["expiration_ms"]) == (True, 9)
