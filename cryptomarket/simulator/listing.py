"""One listed instrument of the simulated exchange, and the object that the instrument methods answer."""

from dataclasses import dataclass
from typing import Literal

from cryptomarket.simulator.noise import bits, stream_key
from cryptomarket.simulator.spelling import Json

Kind = Literal["future", "option", "spot", "future_combo", "option_combo"]
NEVER_MS = 32503708800000
"""The expiration that Deribit gives to what never expires."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a combo; the amount is negative where the combo sells."""

    instrument_name: str
    amount: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What is fixed about an instrument.

    ``period_s`` is how often its state changes; ``trades_s`` how far apart its trades are (None: it never traded).
    """

    name: str
    kind: Kind
    price_index: str
    base: str
    quote: str
    counter: str
    settlement: str
    settlement_period: str
    reversed: bool
    tick_size: float
    contract_size: float
    min_trade_amount: float
    creation_ms: int
    expiration_ms: int = NEVER_MS
    strike: float | None = None
    is_call: bool = False
    legs: tuple[Leg, ...] = ()
    period_s: float = 1.0
    trades_s: float | None = 10.0

    @property
    def is_perpetual(self) -> bool:
        return self.kind == "future" and self.settlement_period == "perpetual"

    @property
    def instrument_id(self) -> int:
        return 100_000 + bits(stream_key(0, self.name), 1) % 900_000

    @property
    def currency(self) -> str:
        """The currency under which the instrument is listed: what settles it, or what a spot pair is made of."""
        return self.settlement if self.kind != "spot" else self.base

    def currencies(self) -> frozenset[str]:
        """Every ``currency`` parameter that finds this instrument, ``any`` aside."""
        return frozenset((self.base, self.quote, self.counter) if self.kind == "spot" else (self.settlement,))

    def answer(self, state: str) -> dict[str, Json]:
        """The instrument object of 2026 (docs.deribit.com/api-reference/market-data/public-get_instrument)."""
        answer: dict[str, Json] = {
            "state": state,
            "price_index": self.price_index,
            "kind": self.kind,
            "instrument_name": self.name,
            "instrument_id": self.instrument_id,
            "is_active": state in ("open", "locked", "halted"),
            "maker_commission": 0.0003 if self.kind == "option" else 0.0,
            "taker_commission": 0.0003 if self.kind == "option" else 0.0005,
            "creation_timestamp": self.creation_ms,
            "expiration_timestamp": self.expiration_ms,
            "tick_size": self.tick_size,
            "tick_size_steps": [{"tick_size": 0.0005, "above_price": 0.005}] if self._has_steps() else [],
            "contract_size": self.contract_size,
            "min_trade_amount": self.min_trade_amount,
            "lot_size": 1,
            "base_currency": self.base,
            "quote_currency": self.quote,
            "counter_currency": self.counter,
            "instrument_type": "reversed" if self.reversed else "linear",
            "index_id": 1_000_000 + bits(stream_key(0, self.price_index), 2) % 1000,
            "product_group": self.base,
            "underlying_type": "crypto",
            "settlement_period": self.settlement_period,
            "settlement_currency": self.settlement,
        }
        if self.kind in ("future", "option"):
            answer["block_trade_commission"] = 0.0003 if self.kind == "option" else 0.00025
            answer["block_trade_min_trade_amount"] = 25 if self.kind == "option" else 200_000
            answer["block_trade_tick_size"] = 0.0001 if self.kind == "option" else 0.01
        if self.kind == "future":
            answer["future_type"] = "reversed" if self.reversed else "linear"
            answer["max_leverage"] = 50 if self.is_perpetual else 25
            answer["max_non_default_leverage"] = 5.0
            answer["max_liquidation_commission"] = 0.0075
        if self.kind == "option":
            answer["strike"] = self.strike
            answer["option_type"] = "call" if self.is_call else "put"
        return answer

    def _has_steps(self) -> bool:
        return self.kind == "option" and self.reversed
