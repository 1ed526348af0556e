"""What can't stand in a setting is refused; what can is understood."""

import pytest
from pydantic import TypeAdapter, ValidationError

from cryptomarket.setting_values import Flag, Hosts, Names, Proxies, Tickers, WebSocketUrl


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Flag, " Yes ", True),
        (Flag, "0", False),
        (Names, "a, b,,c", ("a", "b", "c")),
        (Tickers, "btc_usd,BTC-PERPETUAL", ("btc_usd", "BTC-PERPETUAL")),
        (Proxies, "", ()),
        (Proxies, "127.0.0.1,172.30.90.0/24,::1,fd00::/8", ("127.0.0.1", "172.30.90.0/24", "::1", "fd00::/8")),
        (Hosts, "", ""),
        (Hosts, "redis,10.0.0.1,::1", "redis,10.0.0.1,::1"),
        (WebSocketUrl, "wss://www.deribit.com/ws/api/v2", "wss://www.deribit.com/ws/api/v2"),
        (WebSocketUrl, "ws://[::1]:8080", "ws://[::1]:8080"),
    ],
)
def test_what_can_be(kind: type[object], text: str, value: object) -> None:
    """Promise: words as people write them."""
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (Flag, "perhaps", "valid boolean"),
        (Tickers, "btc usd", "'btc usd' is not the name of a ticker"),
        (Proxies, "*", "no address, nor a network"),
        (Proxies, "nginx", "no address, nor a network"),
        (Proxies, "172.30.90.1/24", "no address, nor a network"),
        (Proxies, "0.0.0.0/0", "is everybody"),
        (Proxies, "10.0.0.1,::/0", "is everybody"),
        (Hosts, "redis:6379", "without a port"),
        (Hosts, "re dis", "a name or an address"),
        (WebSocketUrl, "https://www.deribit.com", "begins with ws:// or wss://"),
        (WebSocketUrl, "wss://user:word@www.deribit.com/ws", "without user or password"),
    ],
)
def test_what_cannot(kind: type[object], text: str, told: str) -> None:
    """Promise: a sentence that says what would do."""
    with pytest.raises(ValidationError, match=told):
        TypeAdapter(kind).validate_python(text)
