"""All index names of Deribit are there and priced."""

import pytest

from cryptomarket.simulator.names import ANCHORS, INDEX_NAMES, split_index


def test_there_are_the_47_names_of_the_specification() -> None:
    assert len(INDEX_NAMES) == len(set(INDEX_NAMES)) == 47


@pytest.mark.parametrize("name", INDEX_NAMES)
def test_both_sides_of_an_index_have_a_price(name: str) -> None:
    base, quote = split_index(name)
    assert base in ANCHORS
    assert quote in ANCHORS
