"""Commands find the token that was kept, and say what they want when there is none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from __tests__.client.gateways import Scripted, says
from cryptomarket.client import Client
from cryptomarket.terminal import commands
from cryptomarket.terminal.tokens import FileStore, Kept

URL = "http://gateway.test"
ME = '{"user_id":"u_1","exchange":"test","username":"trader"}'


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    """A place for tokens of its own."""
    kept = FileStore(tmp_path / "tokens.json")
    monkeypatch.setattr(commands, "token_store", lambda: kept)
    return kept


def call(monkeypatch: pytest.MonkeyPatch, gateway: Scripted, *words: str, typed: str = "") -> Result:
    """A command at a gateway of one's own."""
    monkeypatch.setattr(
        commands, "Client", lambda url, *who, **options: Client(url, *who, **options, http=gateway.http)
    )
    return CliRunner().invoke(commands.app, [*words, "--url", URL], input=typed)


def test_a_login_keeps_the_token_and_not_the_secret(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: what is kept is the token and whose it is; a logout takes it away, also when it had ended before."""
    token = '{"access_token":"t-1","token_type":"bearer","expires_in":86400,"user_id":"u_1","scope":"person"}'
    done = call(monkeypatch, Scripted([says(200, token)]), "login", "--client-id", "me", typed="hush\n")
    assert done.exit_code == 0, done.output
    assert "u_1 is logged in at http://gateway.test for 24 h" in done.output
    assert "hush" not in done.output + Path(store.place).read_text()
    assert store.get(URL) == Kept("t-1", "u_1")
    done = call(monkeypatch, Scripted([says(401)]), "logout")
    assert (done.exit_code, store.get(URL)) == (0, None)
    assert "had ended before" in done.output
    assert "Nobody was logged in" in call(monkeypatch, Scripted([says(200)]), "logout").output


def test_the_status_is_the_gateways(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a gateway that is not ready ends with 4 and names the part; who is logged in is said."""
    health = says(200, '{"status":"alive","version":"1","exchange":"test","simulated":false,"exchange_reachable":true}')
    unready = says(503, '{"ready":false,"parts":{"exchange":{"ready":false,"detail":"0 of 10 sessions"}}}')
    done = call(monkeypatch, Scripted([health, unready]), "status")
    assert done.exit_code == 4
    assert "NOT READY  exchange: 0 of 10 sessions" in done.output
    assert "nobody is logged in here" in done.output
    store.put(URL, Kept("t-1", "u_1"))
    ready = says(200, '{"ready":true,"parts":{"exchange":{"ready":true,"detail":"10 of 10 sessions"}}}')
    done = call(monkeypatch, Scripted([health, ready, says(200, ME)]), "status")
    assert done.exit_code == 0
    assert "logged in as trader (u_1)" in done.output


def test_a_history_says_what_is_missing(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: rows are a table or lines; that not everything was heard is said apart from them."""
    store.put(URL, Kept("t-1", "u_1"))
    row = (
        '{"ticker":"btc_usd","instrument_name":"btc_usd","kind":"index","price":1.50,"timestamp":7,"received_us":2,'
        '"source":"stream","position":"e-1"}'
    )
    head = '"ticker":"btc_usd","start":1,"end":9,"count":1,"complete":false,"gaps":[],"next_cursor":null'
    page = says(200, f'{{{head},"data":[{row}]}}')
    done = call(monkeypatch, Scripted([page]), "history", "btc_usd", "--json")
    assert '"price":1.50' in done.stdout
    assert done.stdout.count("\n") == 1
    assert "Not everything of this time" in done.stderr
    gateway = Scripted([page])
    done = call(monkeypatch, gateway, "history", "btc_usd", "--newest", "--last", "1h", "--limit", "5")
    assert "1.50" in done.stdout
    assert {"order": "desc", "limit": "5"}.items() <= dict(gateway.asked[0].url.params).items()


def test_nothing_is_drawn_of_nothing(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a time without a price is said to be one."""
    store.put(URL, Kept("t-1", "u_1"))
    empty = says(
        200, '{"ticker":"btc_usd","start":1,"end":9,"count":0,"complete":true,"gaps":[],"resolution":"1","data":[]}'
    )
    done = call(monkeypatch, Scripted([empty]), "candles", "btc_usd")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no price of btc_usd" in done.stderr
