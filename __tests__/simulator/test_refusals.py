"""Error bodies have the key order and the optional data of the wire."""

from cryptomarket.simulator.refusals import MESSAGES, Refusal, bad_param, unauthorized


def test_data_stands_between_code_and_message() -> None:
    assert list(bad_param("interval", "value must be >= 10").body()) == ["code", "data", "message"]
    assert Refusal(13004).body() == {"code": 13004, "message": "invalid_credentials"}
    assert unauthorized().body() == {"code": 13009, "data": {"reason": "invalid_token"}, "message": "unauthorized"}


def test_every_code_has_its_own_message() -> None:
    assert len(set(MESSAGES.values())) == len(MESSAGES)
