"""What goes to Redis and what comes back, as types."""

Value = bytes | str | int
Command = tuple[Value, ...]
Answer = bytes | int | list["Answer"] | None


def as_bytes(answer: Answer) -> bytes:
    """A reply that is a string. Raises TypeError for any other."""
    if not isinstance(answer, bytes):
        raise TypeError(f"Redis answered {answer!r} where a string was due")
    return answer


def as_list(answer: Answer) -> list[Answer]:
    """A reply that is a list. Raises TypeError for any other."""
    if not isinstance(answer, list):
        raise TypeError(f"Redis answered {answer!r} where a list was due")
    return answer


def as_int(answer: Answer) -> int:
    """A reply that is a number, or a string that spells one. Raises TypeError or ValueError for any other."""
    return answer if isinstance(answer, int) else int(as_bytes(answer))


def as_pairs(answer: Answer) -> list[tuple[Answer, Answer]]:
    """A flat list of two and two as pairs. Raises TypeError for any other reply."""
    flat = as_list(answer)
    return list(zip(flat[::2], flat[1::2], strict=True))
