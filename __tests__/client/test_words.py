"""What is handed in as text is judged before it goes anywhere."""

import pytest

from cryptomarket.client.words import part_of, url_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://host", "http://host"),
        ("http://host/", "http://host"),
        ("HTTP://HOST:80/", "http://host"),
        ("https://host:8443/market/", "https://host:8443/market"),
        ("http://[::1]:8003/", "http://[::1]:8003"),
    ],
)
def test_a_gateway_has_one_url(written: str, meant: str) -> None:
    """Promise: what is the same gateway is written the same, so that one token is kept for it."""
    assert url_of(written) == meant


@pytest.mark.parametrize(
    "text",
    ["", "foo", "host:80", "ftp://host", "http://", "http://[::1", "http://host:99999", "http://host:port",
     "http://host?a=b", "http://host/#a", "http://a b",
     "http://host\n"],
)  # fmt: skip
def test_what_is_no_url_is_refused(text: str) -> None:
    """Promise: a URL with which nothing can be reached is told as such, not as a gateway that is away."""
    with pytest.raises(ValueError, match="The gateway's URL has to"):
        url_of(text)


@pytest.mark.parametrize("text", ["http://me:hush@host", "http://hush@host", "http://me:hush@[host", "ftp://me:hush@x"])
def test_a_password_in_a_url_is_refused_unrepeated(text: str) -> None:
    """Promise: where a URL is shown, nobody's password is."""
    with pytest.raises(ValueError, match="The gateway's URL has to") as refused:
        url_of(text)
    assert "hush" not in str(refused.value)


def test_a_name_is_one_part_of_a_path() -> None:
    """Promise: a name can't lead elsewhere; what can be none is told of the ticker, not of a path."""
    assert part_of("a?b#c") == "a%3Fb%23c"
    for name in ("", " ", ".", "..", "a/b"):
        with pytest.raises(ValueError, match="no name of a ticker"):
            part_of(name)
