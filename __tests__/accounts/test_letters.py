"""What passes between the processes reads back as it was written."""

import msgspec

from cryptomarket.accounts.letters import KEY_LIFE_S, LoginAnswer, LoginLetter, Outcome, one_time_key_name
from cryptomarket.accounts.person import Profile


def test_letters_and_answers_survive_the_wire() -> None:
    """Both ends speak the same form, whatever a profile lacks."""
    letter = LoginLetter("id", "sealed")
    assert msgspec.json.decode(msgspec.json.encode(letter), type=LoginLetter) == letter
    for answer in (
        LoginAnswer(Outcome.KNOWN, profile=Profile(1)),
        LoginAnswer(Outcome.UNAVAILABLE, detail="away", retry_after_s=2.5),
    ):
        assert msgspec.json.decode(msgspec.json.encode(answer), type=LoginAnswer) == answer


def test_the_one_time_key_lives_fifteen_seconds_under_its_own_name() -> None:
    """The contract's figure; logins never share a key."""
    assert KEY_LIFE_S == 15
    assert one_time_key_name("a") != one_time_key_name("b")
