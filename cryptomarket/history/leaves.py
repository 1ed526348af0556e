"""What lies inside of summaries, taken out of a whole window of lines at once: no row becomes an object of ours."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import get_type_hints

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND

# Nothing in here is ever tried twice, which takes twice as long (docs.python.org, re, "possessive quantifiers").
# A -0 is a whole number to a decoder, which has no sign for it.
_NUMBER = r"(?:-(?!0[^.]))?+[0-9]++(?:\.[0-9]++)?+"
# Texts that a cell has as they are: nothing to quote, and no formula.
_WORD = r"[0-9A-Za-z][0-9A-Za-z_.-]*+"
# Numbers that are such, but `str` makes an exponent of their Decimal (decimal, "to-scientific-string").
_MAYBE_TINY, _TINY = "0.000000", re.compile(r'":-?0\.0{6}[0-9]')


class Leaves:
    """Some leaves of the summaries of one kind, by their names in `Columns`, such as `stats.high`, in that order."""

    def __init__(self, kind: Kind, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._pattern = re.compile(self._object(SUMMARY_OF_KIND[kind], ""))

    def _object(self, type_: type, prefix: str) -> str:
        hints = get_type_hints(type_)
        values = (f'"{field.name}":{self._value(hints[field.name], prefix + field.name)}' for field in fields(type_))
        return rf"\{{{','.join(values)}\}}"

    def _value(self, hint: object, name: str) -> str:
        if is_dataclass(hint) and isinstance(hint, type):
            return self._object(hint, f"{name}.")
        opening = "(" if name in self._names else "(?:"
        return f"(?:null|{opening}{_NUMBER}))" if hint == Decimal | None else f'(?:null|"{opening}{_WORD})")'

    def in_place_of_summaries(self, text: str) -> str | None:
        """CSV with cells where it had summaries, as our encoder spells them; None where one is spelled otherwise."""
        if _MAYBE_TINY in text and _TINY.search(text):
            return None
        told = self._pattern.sub(_cells, text)
        return None if "{" in told else told


def _cells(summary: re.Match[str]) -> str:
    # A template would be filled in by Python, leaf by leaf.
    return ",".join(summary.groups(""))


@cache
def leaves_of(kind: Kind, names: tuple[str, ...]) -> Leaves:
    """Made once."""
    return Leaves(kind, names)
