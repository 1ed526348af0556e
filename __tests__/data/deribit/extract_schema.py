"""Makes ``schema.json`` from Deribit's OpenAPI document: ``python extract_schema.py OPENAPI.json``.

Only names, types, required fields and enumerations are taken. Where recorded messages differ from the document, the
corrections below are applied; each says which recording it follows.
"""

import json
import sys
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

METHODS = (
    "public/auth",
    "public/fork_token",
    "public/set_heartbeat",
    "public/disable_heartbeat",
    "public/test",
    "public/hello",
    "public/get_time",
    "public/status",
    "public/subscribe",
    "public/unsubscribe",
    "public/unsubscribe_all",
    "public/get_currencies",
    "public/get_index_price",
    "public/get_index_price_names",
    "public/get_supported_index_names",
    "public/get_index_chart_data",
    "public/get_instruments",
    "public/get_instrument",
    "public/get_contract_size",
    "public/ticker",
    "public/get_order_book",
    "public/get_tradingview_chart_data",
    "public/get_volatility_index_data",
    "public/get_last_trades_by_instrument",
    "public/get_last_trades_by_instrument_and_time",
    "public/get_last_trades_by_currency",
    "public/get_last_trades_by_currency_and_time",
    "public/get_book_summary_by_currency",
    "public/get_book_summary_by_instrument",
    "public/get_expirations",
    "public/get_combos",
    "public/get_announcements",
    "private/subscribe",
    "private/unsubscribe",
    "private/unsubscribe_all",
    "private/get_account_summary",
    "private/get_account_summaries",
)
KEPT = ("type", "properties", "required", "enum", "items", "minItems", "maxItems", "additionalProperties", "nullable")
CURRENCIES = ["BTC", "ETH", "USDC", "USDT", "EURR", "SOL", "XRP", "STETH", "USYC", "PAXG", "BNB", "USDE"]


def simplify(node: object, components: Schema) -> object:
    """The node with references inlined and everything but types, names and enumerations left out."""
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        kind, name = node["$ref"].split("/")[-2:]
        return simplify(components[kind][name], components)
    kept: Schema = {}
    for key in KEPT:
        if key not in node:
            continue
        value = node[key]
        if key == "properties":
            kept[key] = {name: simplify(child, components) for name, child in value.items()}
        elif key in ("items", "additionalProperties"):
            kept[key] = simplify(value, components)
        else:
            kept[key] = value
    if kept.pop("nullable", False):
        kept["type"] = [kept["type"], "null"]
    return kept


def nullable(properties: Schema, *names: str) -> None:
    for name in names:
        if name in properties:
            kind = properties[name]["type"]
            properties[name]["type"] = kind if isinstance(kind, list) else [kind, "null"]


def correct_instrument(schema: Schema) -> None:
    """http_get_instruments.jsonl, http_get_instrument.jsonl: arrays of steps, float sizes, more words."""
    properties = schema["properties"]
    properties["tick_size_steps"] = {"type": "array", "items": properties["tick_size_steps"]}
    properties["contract_size"]["type"] = "number"
    properties["settlement_period"]["enum"] = ["day", "week", "month", "perpetual"]
    properties["quote_currency"]["enum"] = ["USD", *CURRENCIES]
    properties["counter_currency"]["enum"] = ["USD", *CURRENCIES]
    # Linear instruments (XRP_USDC, SOL_USDC, DVOL futures) have bases and settlements that the document leaves out.
    del properties["base_currency"]["enum"]
    properties["settlement_currency"]["enum"] = CURRENCIES


def correct_ticker(schema: Schema) -> None:
    """notif_ticker.jsonl, notif_ticker_raw_2021.jsonl."""
    properties = schema["properties"]
    properties["underlying_index"]["type"] = "string"
    nullable(properties["stats"]["properties"], "high", "low", "price_change", "volume")
    properties["stats"]["properties"]["volume_notional"] = {"type": "number"}


def correct_account(properties: Schema) -> None:
    """ws_get_account_summary.jsonl, http_get_account_summaries.jsonl."""
    nullable(properties, "referrer_id")
    properties["self_trading_extended_to_subaccounts"] = {"type": "boolean"}
    if "block_rfq_self_match_prevention" in properties:
        properties["block_rfq_self_match_prevention"] = {"type": "boolean"}
    properties["trading_products_details"] = {"type": "array", "items": {"type": "object"}}


def correct(results: Schema) -> None:
    correct_instrument(results["public/get_instrument"])
    correct_instrument(results["public/get_instruments"]["items"])
    results["public/get_contract_size"]["properties"]["contract_size"]["type"] = "number"
    correct_ticker(results["public/ticker"])
    correct_ticker(results["public/get_order_book"])
    for name in ("instrument", "instrument_and_time", "currency", "currency_and_time"):
        trade = results[f"public/get_last_trades_by_{name}"]["properties"]["trades"]["items"]
        trade["properties"]["combo_trade_id"]["type"] = "string"
    for name in ("currency", "instrument"):
        summary = results[f"public/get_book_summary_by_{name}"]["items"]["properties"]
        # A side without orders and an instrument without trades have nothing to tell.
        nullable(summary, "high", "low", "last", "bid_price", "ask_price", "mid_price", "price_change")
    correct_account(results["private/get_account_summary"]["properties"])
    # Who the account belongs to comes only with extended:true (ws_get_account_summary.jsonl asked for it).
    person = {"security_keys_enabled", "system_name", "username", "email", "type", "id"}
    required = results["private/get_account_summary"]["required"]
    results["private/get_account_summary"]["required"] = [name for name in required if name not in person]
    results["private/get_account_summary_extended"] = {**results["private/get_account_summary"], "required": required}
    correct_account(results["private/get_account_summaries"]["properties"])
    # http_get_expirations.jsonl: an object of lists, or of such objects by currency.
    results["public/get_expirations"] = {"type": "object"}
    # Plain strings unless extended:true.
    results["public/get_index_price_names_extended"] = results["public/get_index_price_names"]
    strings = {"type": "array", "items": {"type": "string"}}
    results["public/get_index_price_names"] = results["public/get_supported_index_names"] = strings
    nullable(results["public/get_volatility_index_data"]["properties"], "continuation")


def main(openapi: Path) -> None:
    document = json.loads(openapi.read_bytes())
    components = document["components"]
    results: Schema = {}
    for method in METHODS:
        answer = document["paths"][f"/{method}"]["get"]["responses"]["200"]
        kind, name = answer["$ref"].split("/")[-2:]
        schema = components[kind][name]["content"]["application/json"]["schema"]
        while "$ref" in schema:
            schema = components["schemas"][schema["$ref"].split("/")[-1]]
        results[method] = simplify(schema["properties"]["result"], components)
    results = json.loads(json.dumps(results))
    correct(results)
    timing = {name: {"type": "integer"} for name in ("usIn", "usOut", "usDiff")}
    head = {"jsonrpc": {"enum": ["2.0"]}, "id": {"type": ["integer", "string"]}, "testnet": {"type": "boolean"}}
    error = {
        "type": "object",
        "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "data": {"type": ["object", "string"]},
        },
        "required": ["code", "message"],
    }
    envelope = {"type": "object", "properties": {**head, **timing}, "required": ["jsonrpc", *timing, "testnet"]}
    extract = {"envelope": envelope, "error": error, "results": results}
    target = Path(__file__).with_name("schema.json")
    target.write_text(json.dumps(extract, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
