"""What the requests of the collection assert: the status, the shape that the document promises, and what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Json = Any  # the document is JSON of many shapes

_WORDS_FOR_PEOPLE = {"description", "example", "examples", "title", "default", "contentMediaType", "contentSchema"}

# Before some requests: what they need that only the gateway can give.
BEFORE: dict[str, list[str]] = {
    "revoke_token": [
        "// A token of its own to end, so that the others go on.",
        "const pair = [",
        '  ["grant_type", "client_credentials"],',
        '  ["client_id", pm.variables.get("x_client_Id")],',
        '  ["client_secret", pm.variables.get("x_secret_key")],',
        "];",
        "pm.sendRequest({",
        '  url: `${pm.variables.get("url_remote")}/api/v2/auth/token`,',
        '  method: "POST",',
        '  body: { mode: "urlencoded", urlencoded: pair.map(([key, value]) => ({ key, value })) },',
        '}, (error, answer) => pm.collectionVariables.set("token_to_revoke", answer.json().access_token));',
    ],
    "get_export": [
        "// An export to ask about.",
        "pm.sendRequest({",
        '  url: `${pm.variables.get("url_remote")}/api/v2/ticks/${pm.variables.get("ticker")}?format=csv`,',
        '  header: { Authorization: `Bearer ${pm.variables.get("token")}` },',
        '}, (error, answer) => pm.collectionVariables.set("export_id", answer.headers.get("X-Request-ID")));',
    ],
    "get_tick_at": ['pm.collectionVariables.set("now", Date.now() - 1000);'],
}

# After some requests: what is kept for later ones, and what the answer means beyond its shape.
AFTER: dict[str, list[str]] = {
    "create_token": [
        'pm.collectionVariables.set("token", body.access_token);',
        'pm.collectionVariables.set("x_user_id", body.user_id);',
        'pm.test("the token is a bearer token and nobody keeps it", () => {',
        '  pm.expect(body.token_type).to.eql("bearer");',
        '  pm.expect(pm.response.headers.get("Cache-Control")).to.eql("no-store");',
        "});",
    ],
    "read_me": [
        'pm.test("it is who has logged in", () => pm.expect(body.user_id).to.eql(pm.variables.get("x_user_id")));'
    ],
    "subscribe": ['pm.test("it is in the set", () => pm.expect(body.tickers).to.include(body.ticker));'],
    "list_subscriptions": [
        "const names = body.subscriptions.map((each) => each.ticker.toLowerCase());",
        'const wanted = pm.variables.get("ticker").toLowerCase();',
        'pm.test("the set has the ticker", () => pm.expect(names).to.include(wanted));',
    ],
    "cancel_subscription": [
        'pm.test("it is out of the set", () => pm.expect(body.tickers).to.not.include(body.ticker));'
    ],
    "open_stream": [
        "const events = pm.response.text().split(/\\n\\n/).filter(Boolean).map((block) => {",
        '  const told = Object.fromEntries(block.split("\\n").map((line) => line.split(/: (.*)/s)));',
        '  return { name: told.event || "message", id: told.id, data: told.data && JSON.parse(told.data) };',
        "}).filter((event) => event.data);",
        "const names = events.map((event) => event.name);",
        "const [first, last] = [events[0], events[events.length - 1]];",
        'const messages = events.filter((event) => event.name === "message");',
        'pm.test("connected comes first, and says who and what", () => {',
        '  pm.expect(names[0]).to.eql("connected");',
        '  pm.expect(first.data.user_id).to.eql(pm.variables.get("x_user_id"));',
        '  pm.expect(first.data.resume).to.eql("fresh");',
        '  pm.expect(first.data.access_token).to.be.a("string");',
        "});",
        'pm.test("a message came", () => pm.expect(names).to.include("message"));',
        'pm.test("messages have a price, an id, and their place in one order", () => {',
        "  for (const { id, data } of messages) {",
        '    pm.expect(data.price).to.be.a("number");',
        "    pm.expect(id.endsWith(`-${data.seq}`)).to.be.true;",
        "  }",
        "  const places = messages.map(({ data }) => data.seq);",
        "  pm.expect(places).to.eql([...places].sort((one, other) => one - other));",
        "});",
        'pm.test("disconnected comes last: the stream had three seconds to live", () => {',
        '  pm.expect(names[names.length - 1]).to.eql("disconnected");',
        '  pm.expect(last.data.reason).to.eql("drain");',
        "});",
    ],
    "list_ticks": [
        'pm.test("a page of ticks, each with its place", () => {',
        "  pm.expect(body.count).to.eql(body.data.length);",
        "  pm.expect(body.data).to.not.be.empty;",
        '  for (const row of body.data) pm.expect(row.position).to.be.a("string");',
        "});",
    ],
    "list_candles": [
        'pm.test("each candle holds its prices", () => {',
        "  pm.expect(body.data).to.not.be.empty;",
        "  for (const { open, high, low, close } of body.data) {",
        "    pm.expect(Math.max(open, close)).to.be.at.most(high);",
        "    pm.expect(Math.min(open, close)).to.be.at.least(low);",
        "  }",
        "});",
    ],
    "get_tick_stats": [
        'pm.test("least, average and greatest are in order", () => {',
        "  pm.expect(body.min).to.be.at.most(body.avg);",
        "  pm.expect(body.avg).to.be.at.most(body.max);",
        "});",
    ],
    "get_latest_tick": ['pm.test("it says how old it is", () => pm.expect(body.age_ms).to.be.at.least(0));'],
    "get_export": [
        'pm.test("the export was told to its end", () => {',
        '  pm.expect(body.state).to.eql("done");',
        "  pm.expect(body.sha256).to.match(/^[0-9a-f]{64}$/);",
        "});",
    ],
    "list_tickers": ['pm.test("there are tickers", () => pm.expect(body.count).to.be.above(0));'],
    "get_order": [
        'pm.test("rows by their time", () => {',
        '  pm.expect(body.detail.user_id).to.eql(pm.variables.get("x_user_id"));',
        "  pm.expect(Object.keys(body.detail.message).length).to.eql(body.detail.count);",
        "});",
    ],
    "read_health": ['pm.test("it is alive", () => pm.expect(body.status).to.eql("alive"));'],
    "read_readiness": ['pm.test("every part is ready", () => pm.expect(body.ready).to.be.true);'],
    "start_task": ['pm.collectionVariables.set("task_id", body.task_id);'],
}


_SUCCESS = 'pm.test("the status is one of success", () => pm.expect(pm.response.code).to.be.oneOf(good));'
# What is an operator's is refused to a person, and a person who reads the run has to see that it was.
_REFUSED = [
    'if (pm.variables.get("operator_token")) {',
    f"  {_SUCCESS}",
    "} else {",
    '  pm.test("refused, for this is an operator\'s: operator_token is not set", () =>',
    "    pm.response.to.have.status(403));",
    "}",
]


def resolved(schema: Json, schemas: Mapping[str, Json]) -> Json:
    """A schema without references and without words for people: what a validator needs."""
    if isinstance(schema, list):
        return [resolved(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    told = {}
    for word, part in schema.items():
        if word == "properties":
            told[word] = {name: resolved(inner, schemas) for name, inner in part.items()}
        elif word not in _WORDS_FOR_PEOPLE:
            told[word] = resolved(part, schemas)
    return told


def script_of(operation: Json, schemas: Mapping[str, Json], *, may_be_refused: bool) -> list[str]:
    """The lines that run after a request: status, request id, the shape of the answer, and what it means."""
    statuses = sorted(int(status) for status in operation["responses"] if status.startswith("2"))
    lines = [
        f"const good = {json.dumps(statuses)};",
        *(_REFUSED if may_be_refused else [_SUCCESS]),
        'pm.test("the answer names its request", () => pm.response.to.have.header("X-Request-ID"));',
    ]
    schema = _schema_of(operation, statuses)
    name = operation["operationId"]
    if schema is None:
        return [*lines, *AFTER.get(name, [])]
    shape = json.dumps(resolved(schema, schemas), separators=(",", ":"), sort_keys=True)
    inner = [
        "const body = pm.response.json();",
        f"const shape = {shape};",
        'pm.test("the answer has the shape that the document promises", () => pm.response.to.have.jsonSchema(shape));',
        *AFTER.get(name, []),
    ]
    return [*lines, "if (pm.response.code < 300) {", *(f"  {line}" for line in inner), "}"]


def _schema_of(operation: Json, statuses: Sequence[int]) -> Json | None:
    for status in statuses:
        content = operation["responses"][str(status)].get("content", {}).get("application/json", {})
        if "schema" in content:
            return content["schema"]
    return None
