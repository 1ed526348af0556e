"""The converter's collection made ours: names, order, variables, proof of who asks, and assertions. The same document
always makes the same text.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.postman.assertions import BEFORE, script_of

Json = Any  # collections and documents are JSON of many shapes

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "cryptomarket")
# What requests were called in the older collection.
OLDER_NAMES = {
    "open_stream": "sse_V2",
    "create_order_by_get": "v1_currency",
    "cancel_order_by_get": "v1_currency_cancel",
    "cancel_all_orders_by_get": "v1_currency_cancel_all",
    "get_order": "v1_currency_filter",
}
# Where they were in it. All other requests are in folders of the document's tags.
OLDER_FOLDERS = {name: "sse" if name == "open_stream" else "http" for name in OLDER_NAMES}
# Requests are a walk: what is needed comes first. What is not named here follows, by its name.
_FOLDERS = ("accounts", "subscriptions", "sse", "http", "catalogue", "history", "v1", "siblings", "operation", "jobs")
_ORDER = (
    "create_token", "read_me", "revoke_token", "subscribe", "list_subscriptions", "cancel_subscription",
    "cancel_all_subscriptions", "create_order", "cancel_order", "create_order_by_get", "cancel_order_by_get",
    "get_order", "cancel_all_orders", "cancel_all_orders_by_get", "list_ticks", "start_task", "list_tasks", "read_task",
)  # fmt: skip
_PATH_VALUES = {
    "ticker": "{{ticker}}", "user_id": "{{x_user_id}}", "request_id": "{{export_id}}", "task_id": "{{task_id}}"
}  # fmt: skip
# Where one name means two things: the run that was started, and the job that is.
_PATH_VALUES_OF = {("read_task", "task"): "{{task_id}}"}
# What is said of the queries; everything else is there to be ticked.
_QUERIES: dict[str, dict[str, str]] = {
    "open_stream": {"tickers": "{{ticker}}", "lifetime": "3"},
    "list_ticks": {"limit": "5"},
    "list_candles": {"resolution": "1"},
    "get_tick_at": {"time": "{{now}}"},
    "list_tickers": {"kind": "index"},
    "get_order": {"start_date": "2026-01-01_00:00:00"},
    "list_prices": {"limit": "5"},
    "filter_prices": {"start": "0", "end": "4102444800000"},
    "filter_items": {"start_date": "2026-01-01", "end_date": "2026-01-02"},
}
_VARIABLES = {
    "url_remote": "http://127.0.0.1:8003",
    "x_client_Id": "demo-1",
    "x_secret_key": "demo-1-secret",
    "x_user_id": "",
    "ticker": "btc_usd",
    "operator_token": "",
}
# A path wants a name in its place, also while no run was started.
_KEPT_BY_SCRIPTS = {"token": "", "token_to_revoke": "", "export_id": "", "task_id": "none", "now": ""}
_SECRETS = ("x_secret_key", "operator_token")
_OF_OPERATORS = ("operation", "jobs")


def collection_of(converted: Json, document: Json) -> Json:
    """The whole collection."""
    operations = dict(_operations(document))
    folders: dict[str, list[Json]] = {}
    for item in _requests(converted["item"]):
        key = (item["request"]["method"], _path_of(item["request"]["url"]))
        operation = operations.pop(key)
        name = operation["operationId"]
        folder = OLDER_FOLDERS.get(name, operation["tags"][0])
        folders.setdefault(folder, []).append((name, _item(item, key[1], operation, document)))
    if operations:
        raise ValueError(f"the converter has left out {sorted(operations)}")
    return {
        "info": {
            "_postman_id": _id("collection"),
            "name": "CryptoMarket",
            "description": document["info"]["description"].partition("\nThis gateway serves")[0].strip(),
            "schema": converted["info"]["schema"],
        },
        "auth": _bearer("token"),
        "variable": [{"key": key, "value": value} for key, value in _variables().items()],
        "item": [
            {"id": _id(f"folder {name}"), "name": name, "item": [item for _, item in sorted(items, key=_place)]}
            for name, items in sorted(folders.items(), key=lambda folder: (_rank(_FOLDERS, folder[0]), folder[0]))
        ],
    }  # fmt: skip


def environment() -> Json:
    """The environment of a gateway with the simulator, as `make run` starts it."""
    values = [
        {"key": key, "value": value, "enabled": True, "type": "secret" if key in _SECRETS else "default"}
        for key, value in _VARIABLES.items()
        # What a request sets would be hidden by what stands here.
        if key != "x_user_id"
    ]
    name = "CryptoMarket simulator"
    return {"id": _id("environment"), "name": name, "values": values, "_postman_variable_scope": "environment"}


def _variables() -> Mapping[str, str]:
    return {**_VARIABLES, **_KEPT_BY_SCRIPTS}


def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _rank(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _place(named: tuple[str, Json]) -> tuple[int, str]:
    return _rank(_ORDER, named[0]), named[0]


def _operations(document: Json) -> Iterator[tuple[tuple[str, str], Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), path), operation


def _requests(items: list[Json]) -> Iterator[Json]:
    for item in items:
        if "item" in item:
            yield from _requests(item["item"])
        else:
            yield item


def _path_of(url: Json) -> str:
    parts = [f"{{{part[1:]}}}" if part.startswith(":") else part for part in url["path"]]
    return "/" + "/".join(parts)


def _item(item: Json, path: str, operation: Json, document: Json) -> Json:
    name = operation["operationId"]
    is_operators = operation["tags"][0] in _OF_OPERATORS and bool(operation["security"])
    script = script_of(operation, document["components"]["schemas"], may_be_refused=is_operators)
    before = list(BEFORE.get(name, []))
    if is_operators:
        before.append('pm.variables.set("asker", pm.variables.get("operator_token") || pm.variables.get("token"));')
    events = [("prerequest", before)] if before else []
    return {
        "id": _id(name),
        "name": OLDER_NAMES.get(name, name),
        "event": [
            {"listen": listen, "script": {"id": _id(f"{name} {listen}"), "type": "text/javascript", "exec": lines}}
            for listen, lines in [*events, ("test", script)]
        ],
        "request": _request(item["request"], path, operation, is_operators=is_operators),
        "response": [],
    }


def _request(request: Json, path: str, operation: Json, *, is_operators: bool) -> Json:
    name = operation["operationId"]
    told: Json = {
        "method": request["method"],
        "description": f"{operation.get('summary', '')}\n\n{operation.get('description', '')}".strip(),
        "header": [{"key": "Accept", "value": "text/event-stream" if name == "open_stream" else "application/json"}],
        "url": _url(path, operation),
    }
    if name == "open_stream":
        told["auth"] = {"type": "noauth"}
        pair = {"X-Client-Id": "{{x_client_Id}}", "X-Secret-key": "{{x_secret_key}}", "X-User-id": "{{x_user_id}}"}
        told["header"] += [{"key": key, "value": value} for key, value in pair.items()]
    elif not operation["security"] or name == "create_token":
        told["auth"] = {"type": "noauth"}
    elif name == "revoke_token":
        told["auth"] = _bearer("token_to_revoke")
    elif is_operators:
        told["auth"] = _bearer("asker")
    if name == "create_token":
        form = {"grant_type": "client_credentials", "client_id": "{{x_client_Id}}", "client_secret": "{{x_secret_key}}"}
        told["body"] = {
            "mode": "urlencoded",
            "urlencoded": [{"key": key, "value": value} for key, value in form.items()],
        }
    return told


def _url(path: str, operation: Json) -> Json:
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    if path.endswith("/") and path != "/":
        parts.append("")
    variables, query = [], []
    said = _QUERIES.get(operation["operationId"], {})
    for parameter in operation["parameters"]:
        key, example = parameter["name"], _example_of(parameter)
        if parameter["in"] == "path":
            own = _PATH_VALUES_OF.get((operation["operationId"], key))
            variables.append({"key": key, "value": own or _PATH_VALUES.get(key, example)})
        elif parameter["in"] == "query":
            required = parameter.get("required", False)
            value = said.get(key, "{{ticker}}" if required and key == "ticker" else example)
            told = {"key": key, "value": value, "description": parameter.get("description", "")}
            query.append(told if required or key in said else {**told, "disabled": True})
    raw = "{{url_remote}}/" + "/".join(parts)
    asked = "&".join(f"{each['key']}={each['value']}" for each in query if not each.get("disabled"))
    url = {"raw": raw + (f"?{asked}" if asked else ""), "host": ["{{url_remote}}"], "path": parts, "query": query}
    return {**url, "variable": variables} if variables else url


def _example_of(parameter: Json) -> str:
    schema = parameter.get("schema", {})
    examples = [parameter.get("example"), *schema.get("examples", []), schema.get("default"), *schema.get("enum", [])]
    told = next((example for example in examples if example is not None), "")
    return str(told).lower() if isinstance(told, bool) else str(told)


def _bearer(variable: str) -> Json:
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}
