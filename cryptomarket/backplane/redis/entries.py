"""Entries of the log as publications."""

from collections.abc import Sequence

from cryptomarket.backplane.redis.answers import Answer, as_bytes, as_list
from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

_KINDS = {kind.value.encode(): kind for kind in PublicationKind}
_FIELDS_OF_A_SET_CHANGE = 10


def entry_id(seq: int) -> str:
    """The id of the entry with this sequence."""
    return f"0-{seq}"


def publications_of(epoch: str, entries: Answer) -> list[Publication]:
    """What entries of an epoch's log say. Raises TypeError for what are no entries, ValueError for no publications."""
    return [_publication(epoch, *as_list(entry)) for entry in as_list(entries)]


def _publication(epoch: str, id_: Answer, told: Answer) -> Publication:
    # The fields have one order, that of `publish.lua`: name, value, name, value.
    fields = as_list(told)
    previous = as_bytes(fields[5])
    return Publication(
        Position(epoch, int(as_bytes(id_)[2:])),
        _KINDS[as_bytes(fields[1])],
        as_bytes(fields[3]).decode(),
        int(previous) if previous else None,
        as_bytes(fields[7]),
        as_bytes(fields[9]).decode() if len(fields) >= _FIELDS_OF_A_SET_CHANGE else None,
    )


def proven_whole(batch: Sequence[Publication], after: Position) -> None:
    """Raises LogTooShort unless these follow `after` without a hole."""
    if batch and (batch[0].seq != after.seq + 1 or batch[-1].seq != after.seq + len(batch)):
        raise LogTooShort(str(after))
