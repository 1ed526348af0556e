"""How Deribit writes JSON: shortest number tokens, exponents included, and its notification frame."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

Json: TypeAlias = "bool | int | float | str | msgspec.Raw | Mapping[str, Json] | Sequence[Json] | None"

_encoder = msgspec.json.Encoder()


@lru_cache(maxsize=1 << 16)
def number_token(value: float) -> str:
    """The shortest token of a float: ``83950.0`` but ``8.55e4``, ``0.0012`` but ``3.1e-5``.

    Decimal notation wins a tie. Recorded frames show both forms side by side (wire, 2026).
    """
    plain = repr(value)
    if "e" in plain:
        mantissa, exponent = plain.split("e")
        mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
        return f"{mantissa}e{int(exponent)}"
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    whole, fraction = digits.split(".")
    if digits.endswith("00.0") and whole != "0":
        significant, power = whole.rstrip("0"), len(whole) - 1
    elif digits.startswith("0.000"):
        significant = fraction.lstrip("0")
        power = len(significant) - len(fraction) - 1
    else:
        return plain
    if not significant:
        return plain
    scientific = f"{sign}{significant[0]}.{significant[1:] or '0'}e{power}"
    return scientific if len(scientific) < len(plain) else plain


@lru_cache(maxsize=1 << 16)
def _raw(value: float) -> msgspec.Raw:
    return msgspec.Raw(number_token(value).encode())


def spell(value: Json) -> Json:
    """The same value with every float replaced by its Deribit token."""
    if isinstance(value, float):
        return _raw(value)
    if isinstance(value, dict):
        return {key: _raw(item) if type(item) is float else _descend(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_raw(item) if type(item) is float else _descend(item) for item in value]
    return value


def _descend(value: Json) -> Json:
    return spell(value) if isinstance(value, (dict, list, tuple)) else value


def encode(value: Json) -> bytes:
    """UTF-8 JSON of ``value`` with Deribit's number tokens."""
    return _encoder.encode(spell(value))


def notification(channel: str, data: Json) -> bytes:
    """One frame of a subscription. It carries no id and no timing fields."""
    return encode({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})
