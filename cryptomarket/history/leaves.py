"""What lies inside of summaries, taken out of a whole window of lines at once: no row becomes an object of ours."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import get_type_hints

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND

# Numbers whose digits are those that `str` makes of their Decimal: no exponent, neither here nor there.
_NUMBER = r"-?(?:0(?:\.(?:[0-9]{1,6}|0{0,5}[1-9][0-9]*))?|[1-9][0-9]*(?:\.[0-9]+)?)"
# Texts that a cell has as they are: nothing to quote, and no formula.
_WORD = r"[0-9A-Za-z][0-9A-Za-z_.-]*"


class Leaves:
    """Some leaves of the summaries of one kind, by their names in `Columns`, such as `stats.high`."""

    def __init__(self, kind: Kind, names: Sequence[str]) -> None:
        self._places: dict[str, int] = {}
        self._pattern = re.compile(self._object(SUMMARY_OF_KIND[kind], ""))
        self._cells = ",".join(rf"\g<{self._places[name]}>" for name in names)

    def _object(self, type_: type, prefix: str) -> str:
        hints = get_type_hints(type_)
        values = (f'"{field.name}":{self._value(hints[field.name], prefix + field.name)}' for field in fields(type_))
        return rf"\{{{','.join(values)}\}}"

    def _value(self, hint: object, name: str) -> str:
        if is_dataclass(hint) and isinstance(hint, type):
            return self._object(hint, f"{name}.")
        self._places[name] = len(self._places) + 1
        return f"(?:null|({_NUMBER}))" if hint == Decimal | None else f'(?:null|"({_WORD})")'

    def in_place_of_summaries(self, text: str) -> str | None:
        """CSV with cells where it had summaries, as our encoder spells them; None where one is spelled otherwise."""
        told = self._pattern.sub(self._cells, text)
        return None if "{" in told else told


@cache
def leaves_of(kind: Kind, names: tuple[str, ...]) -> Leaves:
    """Made once."""
    return Leaves(kind, names)
