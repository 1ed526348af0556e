"""Names: found in any case, and the two that differ in case alone are told apart."""

from cryptomarket.catalog.names import Names
from cryptomarket.market.instruments import Instrument, Kind

INDEX = Instrument("btc_usdc", Kind.INDEX)
SPOT = Instrument("BTC_USDC", Kind.SPOT)
OPTION = Instrument("XRP_USDC-30JUN26-0d625-C", Kind.OPTION)


def test_a_name_is_found_in_any_case() -> None:
    names = Names([OPTION])
    assert names.find("xrp_usdc-30jun26-0D625-c") is OPTION
    assert names.find("XRP_USDC-30JUN26-0d625-P") is None
    assert (len(names), list(names.all())) == (1, [OPTION])


def test_an_index_and_a_spot_pair_of_one_name_are_told_apart_by_case() -> None:
    for names in (Names([INDEX, SPOT]), Names([SPOT, INDEX])):
        assert names.find("btc_usdc") is INDEX
        assert names.find("BTC_USDC") is SPOT
        assert names.find("Btc_Usdc") is INDEX


def test_taking_one_of_the_two_out_leaves_the_other() -> None:
    names = Names([INDEX, SPOT])
    names.remove("btc_usdc")
    assert names.find("btc_usdc") is SPOT
    names.add(INDEX)
    names.remove("BTC_USDC")
    assert names.find("BTC_USDC") is INDEX
    names.remove("btc_usdc")
    names.remove("btc_usdc")
    assert names.find("btc_usdc") is None
    assert list(names.nearest("btc_usdc", 3)) == []
