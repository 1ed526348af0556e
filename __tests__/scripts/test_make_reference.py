"""The reference says what the code says."""

from pathlib import Path

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
