"""Instruments under their names, found in any case."""

from collections.abc import Collection, Iterable, Sequence

from cryptomarket.catalog.likeness import Likeness
from cryptomarket.market.instruments import Instrument, Kind, folded


class Names:
    """Every instrument under its exact name and its folded one.

    The index `btc_usdc` and the spot pair `BTC_USDC` differ in case alone, so an exact name comes first; in any other
    case the name is the index's.
    """

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._exact = {instrument.name: instrument for instrument in instruments}
        self._folded: dict[str, Instrument] = {}
        for instrument in self._exact.values():
            self._fold(instrument)
        self._likeness = Likeness(self._exact)

    def __len__(self) -> int:
        return len(self._exact)

    def all(self) -> Collection[Instrument]:
        return self._exact.values()

    def find(self, name: str) -> Instrument | None:
        return self._exact.get(name) or self._folded.get(folded(name))

    def exact(self, name: str) -> Instrument | None:
        return self._exact.get(name)

    def nearest(self, name: str, count: int) -> Sequence[str]:
        return self._likeness.nearest(name, count)

    def add(self, instrument: Instrument) -> None:
        self._exact[instrument.name] = instrument
        self._fold(instrument)
        self._likeness.add(instrument.name)

    def replace(self, instrument: Instrument) -> None:
        """Puts a newer word about an instrument in the place of the one that is there."""
        key = folded(instrument.name)
        self._exact[instrument.name] = instrument
        if self._folded[key].name == instrument.name:
            self._folded[key] = instrument

    def remove(self, name: str) -> None:
        if self._exact.pop(name, None) is None:
            return
        self._likeness.remove(name)
        key = folded(name)
        if self._folded[key].name == name:
            del self._folded[key]
            for other in (key, name.upper(), name.lower()):
                if other in self._exact:
                    self._fold(self._exact[other])

    def _fold(self, instrument: Instrument) -> None:
        key = folded(instrument.name)
        if key not in self._folded or instrument.kind is Kind.INDEX:
            self._folded[key] = instrument
