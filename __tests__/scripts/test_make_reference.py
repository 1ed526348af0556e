"""The reference says what the code says."""

import re
from pathlib import Path

from pydantic import BaseModel

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, GapCause, GapState
from cryptomarket.operation import LogView, OperationView, SlotView, StreamsView
from cryptomarket.settings import Settings
from scripts.make_postman import document
from scripts.make_reference import DOCS, main, pages


def test_the_pages_are_current(tmp_path: Path) -> None:
    """Promise: no page of the reference lags behind: run `make reference` when this fails."""
    assert main(tmp_path) == 0
    for name in pages():
        assert (DOCS / name).read_text() == (tmp_path / name).read_text(), name


def test_nothing_is_left_out() -> None:
    """Promise: every endpoint, setting, command and decision has its place."""
    told = pages()
    for path, methods in document()["paths"].items():
        for method in methods:
            assert f"### `{method.upper()} {path}`" in told["reference/api.md"]
    for name in Settings.model_fields:
        assert f"| `{name.upper()}` |" in told["reference/settings.md"]
    for command in ("tail", "serve", "keys create", "config env", "login"):
        assert f"## `cryptomarket {command}`" in told["reference/commands.md"]
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        assert f"]({path.name})" in told["decisions/README.md"]
    assert "`prev_seq`" in told["reference/events.md"]


def test_every_figure_has_its_line() -> None:
    """Promise: whatever an operator is told, to any depth, and of every part how it is, stands in the reference."""
    page = pages()["reference/operation.md"]
    of_operation = page.partition("## `GET /api/v2/operation`")[2].partition("\n## ")[0]
    fields = re.findall(r"^\| `([\w.]+)` \|", of_operation, re.MULTILINE)
    inner: dict[str, type[BaseModel]] = {"slots": SlotView, "log": LogView, "streams": StreamsView}
    assert set(fields) == OperationView.model_fields.keys() | {
        f"{name}.{field}" for name, model in inner.items() for field in model.model_fields
    }
    meanings = re.findall(r"^\| `[\w.]+` \| .*? \| (.*?) \|", of_operation, re.MULTILINE)
    assert len(meanings) == len(fields)
    assert all(meanings)
    for path in ("/api/v2/operation/gaps", "/ready", "/health"):
        assert f"## `GET {path}`" in page


def test_every_field_of_an_event_says_what_it_can_be() -> None:
    """Promise: no cell of the events' tables is left blank, and of an enumeration every value is named."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", pages()["reference/events.md"], re.MULTILINE)
    assert {field for field, kind in rows if not kind.strip()} == set()
    told: dict[str, str] = {}
    for field, kind in rows:
        told[field] = told.get(field, "") + kind
    for field, values in (("state", FeedState), ("state", GapState), ("cause", GapCause), ("kind", Kind)):
        assert [value for value in values if f"`{value}`" not in told[field]] == []
    for reason in ("slow", "drain", "revoked", "expired", "shutdown", "fresh", "complete", "reset"):
        assert f"`{reason}`" in told["reason"] + told["resume"]
