"""Commands find the token that was kept, and say what they want when there is none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from __tests__.client.gateways import Scripted, breaks, says, streams
from __tests__.client.test_stream import CONNECTED, tick
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
    return CliRunner().invoke(commands.app, [*words, *(() if "--url" in words else ("--url", URL))], input=typed)


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


def test_what_was_copied_badly_is_told_unrepeated(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a token with a line end is an unknown caller's, an id with one wrong use; neither is asked with, waited
    for or shown.
    """
    gateway = Scripted([says(200, ME)])
    done = call(monkeypatch, gateway, "history", "btc_usd", "--token", "hush\r")
    assert (done.exit_code, done.stdout, gateway.asked) == (3, "", [])
    assert done.stderr.startswith("cryptomarket: The token is empty, or has a character that none has")
    assert "hush" not in done.stderr
    done = call(monkeypatch, gateway, "tail", "btc_usd", "--json", "--token", "t", "--from-id", "x\ny")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "cryptomarket: The id to go on after is empty, or has a character that no event's id has.\n"
    assert store.get(URL) is None


@pytest.mark.parametrize(
    "words", [("status",), ("history", "btc_usd"), ("login", "--client-id", "me"), ("logout",)], ids=lambda it: it[0]
)
def test_a_gateway_is_named_by_a_url(store: FileStore, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """Promise: a URL that can be none is wrong use; a password in one is shown nowhere; one gateway has one token."""
    gateway = Scripted([says(200)])
    for url in ("foo", "ftp://gateway.test", "http://me:hush@gateway.test"):
        done = call(monkeypatch, gateway, *words, "--url", url, typed="s\n")
        assert (done.exit_code, done.stdout, gateway.asked) == (2, "", [])
        assert done.stderr.startswith("cryptomarket: The gateway's URL has to be ")
        assert "hush" not in done.stderr


def test_a_token_is_found_however_its_gateway_is_written(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a slash at the end, upper case and the usual port are the same gateway."""
    store.put(URL, Kept("t-1", "u_1"))
    for url in (f"{URL}/", f"{URL.upper()}:80"):
        done = call(monkeypatch, Scripted([says(200, '{"data":[]}')]), "history", "btc_usd", "--url", url)
        assert "Nobody is logged in" not in done.output
    done = call(monkeypatch, Scripted([says(200)]), "logout", "--url", f"{URL}/")
    assert (done.exit_code, store.get(URL)) == (0, None)


def test_a_token_that_could_not_be_ended_is_kept(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a logout at a gateway that is away has not logged out, says so, and can be done again."""
    store.put(URL, Kept("t-1", "u_1"))
    for answer in (breaks(), says(503)):
        done = call(monkeypatch, Scripted([answer]), "logout")
        assert (done.exit_code, done.stdout) == (4, "")
        assert store.get(URL) == Kept("t-1", "u_1")
    gateway = Scripted([says(200)])
    done = call(monkeypatch, gateway, "logout")
    assert (done.exit_code, store.get(URL)) == (0, None)
    assert gateway.asked[0].headers["authorization"] == "Bearer t-1"


def test_a_narrow_history_goes_without_what_is_dispensable(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: however narrow the terminal, no price is cut off and no line longer than it: the position leaves first,
    then the quotes, and they come back with the room.
    """
    store.put(URL, Kept("t-1", "u_1"))
    row = (
        '{"ticker":"BTC-PERPETUAL","instrument_name":"BTC-PERPETUAL","kind":"perpetual","price":85500.125,'
        '"best_bid_price":85499.5,"best_ask_price":85501.75,"timestamp":1795219200000,"received_us":2,'
        '"source":"stream","position":"0123456789abcdef-1234567"}'
    )
    head = '"ticker":"BTC-PERPETUAL","start":1,"end":9,"count":1,"complete":true,"gaps":[],"next_cursor":null'
    gateway = Scripted([says(200, f'{{{head},"data":[{row}]}}')])
    words = {"position": "0123456789abcdef-1234567", "bid": "85499.5", "ask": "85501.75", "time": "1795219200000"}
    shown = {}
    for width in range(14, 101):
        monkeypatch.setenv("COLUMNS", str(width))
        drawn = call(monkeypatch, gateway, "history", "BTC-PERPETUAL").stdout
        assert "85500.125" in drawn, width
        assert max(map(len, drawn.splitlines())) <= width
        shown[width] = {name for name, word in words.items() if f" {word} " in drawn}
    assert shown[14] == set()
    assert shown[44] == {"time"}
    assert shown[60] == {"time", "bid", "ask"}
    assert shown[100] == set(words)
    assert all(shown[width] <= shown[width + 1] for width in range(14, 100))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("history", "btc_usd", "--start", "1", "--last", "1m"), "--start and --last are two words for one thing"),
        (("candles", "btc_usd", "--start", "1", "--last", "1m"), "--start and --last are two words for one thing"),
        (("export", "btc_usd", "--to", "x.csv", "--start", "1", "--last", "1m"), "--start and --last are two words"),
        (("export", "btc_usd", "--to", "x.txt"), "'x.txt' ends with no format of an export: there are .ndjson, .csv"),
        (("history", ""), "'' is no name of a ticker"),
        (("history", "a/b"), "'a/b' is no name of a ticker"),
        (("tail", "", "--json"), "'' is no name of a ticker"),
    ],
    ids=lambda it: it if isinstance(it, str) else "_".join(it),
)
def test_what_cannot_be_meant_is_told_in_a_sentence(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    """Promise: nothing is left out in silence, and nothing is asked for that can't be: wrong use ends with 2."""
    gateway = Scripted([says(200, ME)])
    done = call(monkeypatch, gateway, *words, "--token", "t")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"cryptomarket: {complaint}")
    assert {request.url.path for request in gateway.asked} <= {"/api/v2/me"}
    assert store.get(URL) is None


def test_an_empty_saved_set_is_said_to_be_one(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: who names no ticker and has saved none learns why nothing comes, and hears what is saved later."""
    store.put(URL, Kept("t-1", "u_1"))
    stream = streams(CONNECTED % "fresh", tick(1))
    gateway = Scripted([says(200, ME), says(200, '{"subscriptions":[]}'), stream])
    done = call(monkeypatch, gateway, "tail", "--json", "--count", "1")
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert done.stderr == "cryptomarket: The saved set is empty: until it has tickers, there is silence.\n"
    assert [request.url.path for request in gateway.asked][1] == "/api/v2/subscriptions"
