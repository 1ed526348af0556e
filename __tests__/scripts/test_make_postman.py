"""The committed collection is the one that `make postman` makes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.make_postman import COLLECTION, ENVIRONMENT, ROOT, document, main

Json = Any  # collections are JSON of many shapes


def requests(items: list[Json]) -> Iterator[tuple[str, str, str]]:
    """Name, method and path of every request."""
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            url = item["request"]["url"]
            path = "/".join(f"{{{part[1:]}}}" if part.startswith(":") else part for part in url["path"])
            yield item["name"], item["request"]["method"], f"/{path}"


def test_the_files_are_what_the_command_makes(tmp_path: Path) -> None:
    """Promise: document and collection don't drift apart: run `make postman` when this fails."""
    assert main(tmp_path) == 0
    for name in (COLLECTION, ENVIRONMENT):
        assert (ROOT / name).read_text() == (tmp_path / name).read_text()


def test_every_endpoint_is_there() -> None:
    """Promise: each method of each path of the document is a request, once; the older names are kept."""
    made = list(requests(json.loads((ROOT / COLLECTION).read_text())["item"]))
    endpoints = [(method.upper(), path) for path, methods in document()["paths"].items() for method in methods]
    assert sorted((method, path) for _, method, path in made) == sorted(endpoints)
    names = {name: (method, path) for name, method, path in made}
    prefix = "/api/v1/market/{user_id}"
    assert names["sse_V2"] == ("GET", "/api/v2/sse/connection")
    assert names["v1_currency"] == ("GET", f"{prefix}/create_order/{{ticker}}")
    assert names["v1_currency_cancel"] == ("GET", f"{prefix}/cancel_order/{{ticker}}")
    assert names["v1_currency_filter"] == ("GET", f"{prefix}/get_order/{{ticker}}")
    assert len(names) == len(made)
