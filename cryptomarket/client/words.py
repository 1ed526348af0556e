"""What callers hand in as text, judged before it goes anywhere: what is refused is not repeated, it may be a secret."""

import re
from urllib.parse import quote

import httpx2

from cryptomarket.errors import Unauthenticated

_VISIBLE_ASCII = re.compile(r"[!-~]+")
_PORT_END = 2**16
_NO_URL = "The gateway's URL has to be http:// or https:// with a host, as http://127.0.0.1:8003 is."


def proof_of(what: str, text: str) -> str:
    """A token, key or name to log in with. Raises Unauthenticated for one that is none (visible ASCII: RFC 6750, 2.1,
    and RFC 6749, A, but for the blanks, which begin and end what was copied badly).
    """
    if _VISIBLE_ASCII.fullmatch(text) is None:
        raise Unauthenticated(f"{what} is empty, or has a character that none has: was it copied with a line end?")
    return text


def position_of(text: str | None) -> str | None:
    """An id to go on after. Raises ValueError for what no event has."""
    if text is not None and _VISIBLE_ASCII.fullmatch(text) is None:
        raise ValueError("The id to go on after is empty, or has a character that no event's id has.")
    return text


def url_of(text: str) -> str:
    """A gateway's URL, as it is written when nothing of it may be written otherwise. Raises ValueError."""
    try:
        # Written twice: what was upper case at first is known as the usual port at second.
        url = httpx2.URL(str(httpx2.URL(text)))
    except (httpx2.InvalidURL, ValueError):
        # The library's own words quote the text, which may hold a password.
        raise ValueError(_NO_URL) from None
    if url.userinfo:
        raise ValueError("The gateway's URL has to be without a user and a password: log in instead.")
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) >= _PORT_END or re.search(r"\s", text):
        raise ValueError(_NO_URL)
    if url.query or url.fragment:
        raise ValueError("The gateway's URL has to end before any ? and #.")
    return str(url).rstrip("/?#")


def ticker_of(text: str) -> str:
    """A ticker's name. Raises ValueError for what can be none."""
    if not text.strip() or text in {".", ".."} or "/" in text:
        raise ValueError(f"{text!r} is no name of a ticker: write an index (btc_usd) or an instrument (BTC-PERPETUAL).")
    return text


def part_of(ticker: str) -> str:
    """A ticker's name as a part of a path. Raises ValueError for what can be none."""
    return quote(ticker_of(ticker), safe="")
