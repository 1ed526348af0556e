"""What may stand in a setting: lists, flags, times, hosts, proxies and addresses, each refused with a sentence."""

import re
from ipaddress import IPv6Address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from cryptomarket.market.instruments import looks_like_a_name, looks_like_an_index

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_WEBSOCKET_URL = re.compile(r"wss?://[^\s/?#@]+(/\S*)?", re.IGNORECASE)
# Who keeps the time looks once in so long.
SHORTEST_PERIOD_S = 1.0
_HOST_NAME = re.compile(r"[\w.-]+")


def _boolean(value: object) -> object:
    return _BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _tickers(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not looks_like_a_name(name):
            raise ValueError(f"{name[:64]!r} is not the name of a ticker")
    return names


def _indices(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not looks_like_an_index(name):
            raise ValueError(f"{name[:64]!r} is not the name of an index, such as btc_usd")
    return names


def _proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for proxy in proxies:
        try:
            network = ip_network(proxy)
        except ValueError:
            raise ValueError(f"{proxy[:64]!r} is no address, nor a network such as 172.30.90.0/24") from None
        if network.prefixlen == 0:
            raise ValueError(f"{proxy!r} is everybody; then anybody may give himself any address")
    return proxies


def _hosts(hosts: str) -> str:
    if hosts and not all(_is_host(host) for host in hosts.split(",")):
        raise ValueError("a host is a name or an address, without a port; that is REDIS_PORT")
    return hosts


def _is_host(text: str) -> bool:
    if ":" not in text:
        return bool(_HOST_NAME.fullmatch(text))
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _websocket_url(url: str) -> str:
    if url and not _WEBSOCKET_URL.fullmatch(url):
        raise ValueError("an address of a WebSocket begins with ws:// or wss:// and a host, without user or password")
    return url


def _period(period_s: float) -> float:
    if 0 < period_s < SHORTEST_PERIOD_S:
        raise ValueError(f"a period is {SHORTEST_PERIOD_S:g} s or more, or 0, which is never")
    return period_s


Flag = Annotated[bool, BeforeValidator(_boolean)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list)]
Tickers = Annotated[Names, AfterValidator(_tickers)]
Indices = Annotated[Names, AfterValidator(_indices)]
Proxies = Annotated[Names, AfterValidator(_proxies)]
Hosts = Annotated[str, AfterValidator(_hosts)]
WebSocketUrl = Annotated[str, AfterValidator(_websocket_url)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Period = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False), AfterValidator(_period)]
