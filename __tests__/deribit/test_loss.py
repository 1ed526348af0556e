"""Why a connection was lost: one phrase that says enough, and no address."""

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from cryptomarket.deribit.loss import Ended, causes, reason_of, was_foreseen
from cryptomarket.errors import ExchangeFatal, ExchangeUnavailable

LOSSES = [
    (Ended("silent for 25 s"), "silent for 25 s"),
    (ConnectionClosedError(None, None), "the connection broke"),
    (ConnectionClosedError(Close(4000, "heartbeat close"), None), "closed by the exchange (4000 heartbeat close)"),
    (InvalidStatus(Response(429, "", Headers())), "the exchange refused the connection with 429"),
    (TimeoutError(), "no connection in time"),
    (ConnectionRefusedError(111, "Connect call failed ('10.1.2.3', 443)"), "no connection"),
    (ExchangeUnavailable("No answer to public/hello in time."), "No answer to public/hello in time."),
    (ExchangeFatal(13004, "invalid_credentials"), "exchange error 13004 invalid_credentials"),
]


@pytest.mark.parametrize(("error", "reason"), LOSSES)
def test_each_loss_has_its_phrase_and_was_foreseen(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
    assert was_foreseen(error)


def test_of_several_causes_the_one_on_purpose_knows_why() -> None:
    group = ExceptionGroup("", [ExceptionGroup("", [ConnectionClosedError(None, None)]), Ended("logged out")])
    assert reason_of(group) == "logged out"
    assert was_foreseen(group)
    assert len(list(causes(group))) == 2


def test_a_mistake_of_ours_is_no_loss_that_was_foreseen() -> None:
    mistake = ExceptionGroup("", [ConnectionClosedError(None, None), ZeroDivisionError()])
    assert not was_foreseen(mistake)
    assert reason_of(ZeroDivisionError("secret detail")) == "ZeroDivisionError"
