"""Every method that the simulated exchange knows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cryptomarket.simulator.account_methods import ACCOUNT_METHODS
from cryptomarket.simulator.desk import Method
from cryptomarket.simulator.history_methods import HISTORY_METHODS
from cryptomarket.simulator.market_methods import MARKET_METHODS
from cryptomarket.simulator.session_methods import SESSION_METHODS

METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {**SESSION_METHODS, **ACCOUNT_METHODS, **MARKET_METHODS, **HISTORY_METHODS}
)
