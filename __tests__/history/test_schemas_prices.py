"""The shapes of the siblings are exactly those of the contract."""

from cryptomarket.history.schemas_prices import Item, Items, Price, Prices, PricesBetween


def test_the_shapes_have_these_fields_in_this_order() -> None:
    """Promise: who has read the sibling's answers reads these."""
    row = ["id", "ticker", "price", "timestamp", "created_at"]
    assert list(Price.model_fields) == list(Item.model_fields) == row
    assert list(Prices.model_fields) == ["data", "count", "ticker"]
    assert list(PricesBetween.model_fields) == ["data", "count", "ticker", "start", "end"]
    assert list(Items.model_fields) == ["items"]
    assert Price.model_json_schema()["properties"]["price"]["anyOf"][0] == {"type": "number"}
    assert Item.model_json_schema()["properties"]["price"]["anyOf"][0] == {"type": "string"}
