"""A method finds the instrument that its caller named, also after it expired."""

import pytest

from __tests__.simulator.talk import Talk


@pytest.mark.parametrize("name", ["BTC-PERPETUAL", "ETH_BTC", "BTC-21NOV26"])
def test_a_name_is_found(talk: Talk, name: str) -> None:
    assert talk.result("public/get_instrument", instrument_name=name)["instrument_name"] == name


def test_an_expired_one_is_still_found(talk: Talk) -> None:
    world = talk.exchange.world
    world.turn(world.turns_us)
    found = talk.result("public/get_instrument", instrument_name="BTC-21NOV26")
    assert (found["state"], found["is_active"]) == ("archivized", False)


def test_names_are_case_sensitive(talk: Talk) -> None:
    assert talk.error("public/get_instrument", instrument_name="btc-perpetual")["code"] == -32602
