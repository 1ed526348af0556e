"""A question is asked until it is answered, as long as that makes sense, by somebody who is known."""

import traceback
from collections.abc import AsyncIterator

import httpx2
import pytest

from __tests__.client.gateways import Scripted, breaks, header, says
from cryptomarket.client.asking import Question
from cryptomarket.client.credentials import AccessToken, ApiKey, KeyPair
from cryptomarket.errors import NotFound, TooMany, Unauthenticated, Unavailable

TOKEN = '{"access_token":"%s","token_type":"bearer","expires_in":60,"user_id":"u","scope":"person"}'
ME = Question("GET", "/api/v2/me")


async def test_it_waits_as_long_as_it_is_told() -> None:
    """Promise: Retry-After of a 429 and a 503 is honoured; a gateway that is not there is tried with a backoff."""
    gateway = Scripted([says(429, retry_after="3"), says(503, retry_after="2"), breaks(), says(200, '"yes"')])
    assert await gateway.asking().ask(ME) == b'"yes"'
    assert gateway.waited_s == [3, 2, 0.4]


async def test_it_does_not_wait_for_ever() -> None:
    """Promise: when patience is over, the last refusal is raised with what it said; without patience, at once."""
    gateway = Scripted([says(429, '{"detail":"Too often."}', retry_after="3")])
    with pytest.raises(TooMany, match="Too often"):
        await gateway.asking(patience_s=7).ask(ME)
    assert gateway.waited_s == [3, 3]
    gateway = Scripted([breaks()])
    with pytest.raises(Unavailable, match=r"gateway\.test is away: nobody is there"):
        await gateway.asking(patience_s=0).ask(ME)
    assert len(gateway.asked) == 1


async def test_only_what_may_be_done_twice_is_asked_twice() -> None:
    """Promise: a cancellation or a job is not sent again behind the caller's back."""
    for method in ("POST", "DELETE"):
        gateway = Scripted([says(503)])
        with pytest.raises(Unavailable):
            await gateway.asking().ask(Question(method, "/x"))
        assert len(gateway.asked) == 1


async def test_it_logs_in_at_the_first_need_and_again_when_the_token_has_died() -> None:
    """Promise: a bot outlives its token; wrong credentials are tried once."""
    gateway = Scripted([says(200, TOKEN % "one"), says(200), says(401), says(200, TOKEN % "two"), says(200)])
    asking = gateway.asking(KeyPair("demo-1", "demo-1-secret"))
    await asking.ask(ME)
    await asking.ask(ME)
    assert header(gateway.asked, "authorization") == [None, "Bearer one", "Bearer one", None, "Bearer two"]
    assert b"client_secret=demo-1-secret" in gateway.asked[0].content
    gateway = Scripted([says(401, '{"detail":"No such key."}')])
    with pytest.raises(Unauthenticated, match="No such key"):
        await gateway.asking(ApiKey("k")).ask(ME)
    assert len(gateway.asked) == 1


async def test_a_token_that_was_given_dies_for_good() -> None:
    """Promise: without credentials nothing is tried again; nobody's question carries no token."""
    gateway = Scripted([says(401)])
    with pytest.raises(Unauthenticated):
        await gateway.asking(AccessToken("t")).ask(ME)
    assert len(gateway.asked) == 1
    gateway = Scripted([says(200)])
    await gateway.asking(None).ask(ME)
    await gateway.asking(AccessToken("t")).ask(Question("GET", "/health", is_open=True))
    assert header(gateway.asked, "authorization") == [None, None]
    with pytest.raises(Unauthenticated, match="no credentials"):
        await gateway.asking(None).login()


async def test_what_is_refused_is_raised_with_its_reason() -> None:
    """Promise: a refusal is not asked again; a status that is an answer is none."""
    gateway = Scripted([says(404, '{"detail":"There is no ticker."}')])
    with pytest.raises(NotFound, match="There is no ticker"):
        await gateway.asking().ask(ME)
    assert await Scripted([says(503, "{}")]).asking().ask(Question("GET", "/ready", also=503)) == b"{}"


async def test_an_answer_that_breaks_off_is_none() -> None:
    """Promise: half a body is not taken for an answer."""

    def broken(request: httpx2.Request) -> httpx2.Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"{"
            raise httpx2.ReadError("cut")

        return httpx2.Response(200, content=pieces())

    with pytest.raises(Unavailable, match="cut"):
        await Scripted([broken]).asking().ask(ME)


async def test_what_cannot_be_sent_is_no_outage() -> None:
    """Promise: a request that is wrong itself is told at once, not waited for, and without the words of the library,
    which quote what was to be sent.
    """

    def refuses(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.LocalProtocolError("Illegal header value b'Bearer hush'")

    gateway = Scripted([refuses])
    with pytest.raises(ValueError, match=r"Nothing can be sent to http://gateway\.test") as refused:
        await gateway.asking().ask(ME)
    assert "hush" not in "".join(traceback.format_exception(refused.value))
    assert gateway.waited_s == []
