"""Bulk answers over the store: the same rows as the pages, a trailer that tells the truth, and facts for an hour."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from __tests__.examples import examples
from __tests__.history.outside import Names, open_to_all
from __tests__.history.world import (
    NOW_MS,
    StoppedClock,
    heard,
    index_tick,
    live,
    new_bus,
    new_cache,
    publish,
    writing,
)
from cryptomarket.backplane.memory import MemoryBus, MemoryCache
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable, Impossible, NotFound, TooMany
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.exports import Asker, BrokenOff, Export, ExportLimits, Exports, etag_of
from cryptomarket.history.formats import Format
from cryptomarket.history.look_repository import Look
from cryptomarket.history.parts import build_history
from cryptomarket.history.questions import TicksQuestion
from cryptomarket.history.reach import Reach
from cryptomarket.history.repository import Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.rows import Choice
from cryptomarket.history.timestamps import DAY_MS
from cryptomarket.history.upkeep import remove_old_ticks
from cryptomarket.history.walk import Sizes
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Gap, GapCause

T = NOW_MS - 100_000
OLD = T - 100 * DAY_MS
A = TypeVar("A")
ME = Asker("u_one", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
FEW = ExportLimits(at_once=3, per_user=2)


@pytest.fixture
def bus() -> MemoryBus:
    return new_bus()


@pytest.fixture
def exports(repository: Repository, bus: MemoryBus, stopped: StoppedClock) -> Exports:
    return exports_of(repository, bus, stopped)


def exports_of(
    repository: Repository,
    bus: MemoryBus,
    stopped: StoppedClock,
    *,
    cache: MemoryCache | None = None,
    limits: ExportLimits = FEW,
) -> Exports:
    reach = Reach(bus, clock=stopped.clock)
    return Exports(repository, reach, cache or new_cache(), clock=stopped.clock, limits=limits, sizes=Sizes(2, 2, 2))


async def told(exports: Exports, form: Format = Format.NDJSON, **asked: Any) -> bytes:  # noqa: ANN401 - a question's parts
    export = await exports.begin(ME, TicksQuestion(ticker="btc_usd", **asked), Kind.INDEX, form)
    body = b"".join([piece async for piece in export.pieces()])
    export.close()
    return body


def lines(body: bytes) -> tuple[list[Any], Any]:
    *rows, last = [json.loads(line, parse_float=Decimal) for line in body.splitlines()]
    return rows, last["trailer"]


async def test_the_trailer_tells_rows_digest_and_completeness(
    exports: Exports, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: rows as the pages have them; the digest is that of every byte before the trailer; an hour long the same
    is told by request id, to him who asked and to nobody else.
    """
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms, f"85500.{ms}0") for ms in range(5)))
    body = await told(exports, start_ms=T, end_ms=T + 4)
    rows, trailer = lines(body)
    page = await build_history(repository, bus, new_cache(), open_to_all(), Names(), stopped.clock).history.ticks(
        TicksQuestion("btc_usd", start_ms=T, end_ms=T + 4)
    )
    assert rows == json.loads(page.body, parse_float=Decimal)["data"]
    before = body[: body.rindex(b'{"trailer"')]
    assert trailer == {"rows": 4, "sha256": hashlib.sha256(before).hexdigest(), "complete": True}
    facts = json.loads(await exports.facts(ME))
    assert {name: facts[name] for name in trailer} == trailer
    assert (facts["state"], facts["format"], facts["start"], facts["end"]) == ("done", "ndjson", T, T + 4)
    with pytest.raises(NotFound):
        await exports.facts(Asker("u_two", ME.request_id))
    csv = await told(exports, Format.CSV, start_ms=T, end_ms=T + 9)
    assert json.loads(await exports.facts(ME))["sha256"] == hashlib.sha256(csv).hexdigest()


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.JSON])
async def test_every_format_is_written_to_its_end(exports: Exports, repository: Repository, form: Format) -> None:
    """Promise: each has all rows, over as many pages as there are; nothing stored is an answer as well."""
    await told(exports, form)
    assert json.loads(await exports.facts(ME))["rows"] == 0
    await repository.keep(heard([index_tick(T + ms) for ms in range(5)]))
    assert len(await told(exports, form, order="desc")) > 100
    facts = json.loads(await exports.facts(ME))
    assert (facts["rows"], facts["complete"]) == (5, False)


@settings(examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_a_writer_beside_changes_nothing(
    repository: Repository, bus: MemoryBus, stopped: StoppedClock, data: st.DataObject
) -> None:
    """Promise: at whatever point others write, and in whatever order one reads: what was there at the first row is told
    once, what came later is not told.
    """
    exports = exports_of(repository, bus, stopped)
    first_seq = data.draw(st.integers(0, 2**40), label="first seq") * 1000
    await repository.keep(heard([index_tick(T + ms // 2) for ms in range(7)], epoch="e0", first_seq=first_seq + 1))
    order: Order = data.draw(st.sampled_from(["asc", "desc"]), label="order")
    asked = TicksQuestion("btc_usd", start_ms=T, end_ms=NOW_MS, order=order)
    export = await exports.begin(ME, asked, Kind.INDEX, Format.NDJSON)
    history = build_history(repository, bus, new_cache(), open_to_all(), Names(), stopped.clock).history
    whole = TicksQuestion("btc_usd", start_ms=T, end_ms=NOW_MS, order=order, limit=10_000)
    there = json.loads((await history.ticks(whole)).body)["data"]
    pieces: list[bytes] = []
    after = data.draw(st.integers(0, 3), label="pieces before the writer")
    async for piece in export.pieces():
        if len(pieces) == after:
            await repository.keep(heard([index_tick(T + ms) for ms in range(9)], epoch="e9", first_seq=first_seq + 500))
        pieces.append(piece)
    export.close()
    rows, trailer = lines(b"".join(pieces))
    assert [row["position"] for row in rows] == [row["position"] for row in there]
    assert trailer["rows"] == len(there)


async def _collect(export: Export, pieces: list[bytes]) -> None:
    async for piece in export.pieces():
        pieces.append(piece)  # noqa: PERF401 - what came before an error counts


class BreakingOff(Repository):
    """A repository whose database is away for its fourth look: an export's range is the first, its rows the others."""

    looks = 0

    async def look(self, ask: Callable[[Look], A]) -> A:
        self.looks += 1
        if self.looks == 4:
            raise DatabaseUnavailable("away")
        return await super().look(ask)


async def test_what_breaks_off_never_looks_whole(repository: Repository, bus: MemoryBus, stopped: StoppedClock) -> None:
    """Promise: an error in the middle is raised, without a trailer, and the facts say that it failed."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(9)]))
    breaking = BreakingOff(repository._db)  # noqa: SLF001 - the same database
    exports = exports_of(breaking, bus, stopped)
    export = await exports.begin(ME, TicksQuestion("btc_usd"), Kind.INDEX, Format.NDJSON)
    pieces: list[bytes] = []
    with pytest.raises(BrokenOff):
        await _collect(export, pieces)
    assert b"trailer" not in b"".join(pieces)
    facts = json.loads(await exports.facts(ME))
    assert (facts["state"], facts["rows"], facts["sha256"], facts["complete"]) == ("failed", 4, None, False)


async def test_a_number_that_does_not_fit_breaks_the_answer_off(exports: Exports, repository: Repository) -> None:
    """Promise: Parquet tells no other number than the stored one, and is refused where the first rows show it; other
    formats have room for all.
    """
    await repository.keep(heard([*(index_tick(T + ms) for ms in range(2)), index_tick(T + 2, "1E-30")]))
    with pytest.raises(BrokenOff):
        await told(exports, Format.PARQUET)
    assert json.loads(await exports.facts(ME))["state"] == "failed"
    with pytest.raises(Impossible, match="parquet has room for; ndjson and csv"):
        await told(exports, Format.PARQUET, order="desc")
    assert len(exports.open) == 1, "the one that broke off, which nobody has closed here"
    assert lines(await told(exports, Format.NDJSON))[0][2]["price"] == Decimal("1E-30")


async def test_only_so_many_at_once(exports: Exports) -> None:
    """Promise: beyond the bound it is a 429, and there is room again when one has ended."""
    asked = TicksQuestion("btc_usd")
    others = [Asker(f"u_{number}", ME.request_id) for number in range(3)]
    begun = [await exports.begin(other, asked, Kind.INDEX, Format.CSV) for other in others]
    with pytest.raises(TooMany, match=r"^3 exports are under way here, which is the limit"):
        await exports.begin(ME, asked, Kind.INDEX, Format.CSV)
    begun[0].close()
    assert (await exports.begin(ME, asked, Kind.INDEX, Format.CSV)).name.endswith(".csv")
    with pytest.raises(Impossible):
        await exports.begin(ME, TicksQuestion("btc_usd", fields=["colour"]), Kind.INDEX, Format.CSV)


async def test_a_user_has_only_so_many_places(exports: Exports) -> None:
    """Promise: one user can't take every place: he is told that it is his own limit, also when he asks for all at the
    same moment, and others go on getting places.
    """
    asked = TicksQuestion("btc_usd")
    asking = (exports.begin(ME, asked, Kind.INDEX, Format.CSV) for _ in range(5))
    told = await asyncio.gather(*asking, return_exceptions=True)
    begun = [export for export in told if isinstance(export, Export)]
    refused = [error for error in told if isinstance(error, TooMany)]
    assert (len(begun), len(refused)) == (2, 3)
    [sentence] = {error.detail for error in refused}
    assert sentence == "You have 2 exports under way here, which is a user's limit."
    assert {error.limit for error in refused} == {2}
    other = await exports.begin(Asker("u_two", ME.request_id), asked, Kind.INDEX, Format.CSV)
    other.close()
    begun[0].close()
    (await exports.begin(ME, asked, Kind.INDEX, Format.CSV)).close()


@pytest.mark.parametrize("limits", [ExportLimits(at_once=1, per_user=1), ExportLimits(at_once=1)])
async def test_a_limit_of_one_is_told_in_words(
    repository: Repository, bus: MemoryBus, stopped: StoppedClock, limits: ExportLimits
) -> None:
    """Promise: the sentence of a 429 is one, whatever the limit is set to."""
    exports = exports_of(repository, bus, stopped, limits=limits)
    asked = TicksQuestion("btc_usd")
    await exports.begin(ME, asked, Kind.INDEX, Format.CSV)
    with pytest.raises(TooMany, match=r"^(You have 1 export under|1 export is under) way here"):
        await exports.begin(ME, asked, Kind.INDEX, Format.CSV)


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.JSON])
async def test_a_reader_has_his_time_for_pieces_that_are_small(
    exports: Exports, repository: Repository, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    """Promise: no write is larger than a piece, neither of columns, whose last rows are written together, nor of a
    footer; so who reads slowly is not taken for somebody who doesn't.
    """
    monkeypatch.setattr("cryptomarket.history.exports.PIECE_BYTES", 100)
    await repository.keep(heard([index_tick(T + ms) for ms in range(5)]))
    export = await exports.begin(ME, TicksQuestion("btc_usd"), Kind.INDEX, form)
    sizes = [len(piece) async for piece in export.pieces()]
    export.close()
    assert sum(sizes) > 300
    assert max(sizes) <= 100


class AwayCache(MemoryCache):
    """A cache that can't be reached."""

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        raise BusUnavailable("away")


async def test_without_the_cache_the_answer_is_whole(
    repository: Repository, bus: MemoryBus, stopped: StoppedClock
) -> None:
    """Promise: only the facts afterwards are missing."""
    exports = exports_of(repository, bus, stopped, cache=AwayCache(asyncio.get_running_loop().time))
    assert lines(await told(exports))[1]["rows"] == 0


async def test_another_store_has_another_tag(repository: Repository) -> None:
    """Promise: the same range of a gateway that heard it for itself is another content."""
    await repository.keep(heard([index_tick(T, ticker="a"), index_tick(T + 5, ticker="a")]))
    await repository.keep(heard([index_tick(T, ticker="b"), index_tick(T + 5, ticker="b")], epoch="e2"))
    question = Cursor.at_start("btc_usd", T, T + 10)
    stores = [
        (await repository.page(Cursor.at_start(name, T, T + 10), Choice(), limit=2, begun=False)).rows for name in "ab"
    ]
    tags = {etag_of(Format.CSV, question, None, [row._replace(ticker="btc_usd") for row in rows]) for rows in stores}
    assert len(tags) == 2
    assert etag_of(Format.CSV, question, None, stores[0]) == etag_of(Format.CSV, question, None, stores[0])


@pytest.mark.parametrize(("end_ms", "complete", "is_tagged"), [(T + 4, True, True), (T + 5, True, False)])
async def test_only_what_is_settled_has_a_tag(
    exports: Exports, bus: MemoryBus, repository: Repository, stopped: StoppedClock, end_ms: int, *,
    complete: bool, is_tagged: bool,
) -> None:  # fmt: skip
    """Promise: a file whose last moments may still come is kept by nobody, though it is complete."""
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms) for ms in range(5)))
    export = await exports.begin(ME, TicksQuestion("btc_usd", start_ms=T, end_ms=end_ms), Kind.INDEX, Format.NDJSON)
    body = b"".join([piece async for piece in export.pieces()])
    export.close()
    assert (lines(body)[1]["complete"], export.etag is not None) == (complete, is_tagged)


@pytest.mark.parametrize("form", [Format.NDJSON, Format.CSV])
async def test_a_hole_is_told_at_the_end(
    exports: Exports, bus: MemoryBus, repository: Repository, stopped: StoppedClock, form: Format
) -> None:
    """Promise: an answer over a recorded gap is not complete, in its trailer and in its facts, and has no tag."""
    hole = Gap("btc_usd", T + 1, T + 3, GapCause.SILENCE)
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), index_tick(T), index_tick(T + 1), hole, *(index_tick(T + ms) for ms in (3, 4)))
    export = await exports.begin(ME, TicksQuestion("btc_usd", start_ms=T, end_ms=T + 4), Kind.INDEX, form)
    body = b"".join([piece async for piece in export.pieces()])
    export.close()
    facts = json.loads(await exports.facts(ME))
    assert (facts["state"], facts["complete"], export.etag) == ("done", False, None)
    if form is Format.NDJSON:
        assert lines(body)[1]["complete"] is False


@pytest.mark.parametrize("is_settled", [True, False])
async def test_what_is_removed_meanwhile_is_not_hidden(
    exports: Exports, bus: MemoryBus, repository: Repository, stopped: StoppedClock, *, is_settled: bool
) -> None:
    """Promise: where rows of the range are removed while it is read, it is not complete; an answer whose head has
    called it final breaks off.
    """
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(OLD), live(OLD), *(index_tick(T + ms) for ms in range(9)))
    asked = TicksQuestion("btc_usd", start_ms=OLD, end_ms=T + (8 if is_settled else 9), order="desc")
    export = await exports.begin(ME, asked, Kind.INDEX, Format.NDJSON)
    assert (export.etag is not None) is is_settled
    await remove_old_ticks(RetentionRepository(repository._db), now_ms=NOW_MS, days=1, dry_run=False)  # noqa: SLF001  the same
    pieces: list[bytes] = []
    if is_settled:
        with pytest.raises(BrokenOff):
            await _collect(export, pieces)
    else:
        await _collect(export, pieces)
        assert lines(b"".join(pieces))[1]["complete"] is False
    facts = json.loads(await exports.facts(ME))
    assert (facts["state"], facts["complete"]) == ("failed" if is_settled else "done", False)


async def test_what_failed_is_not_complete(repository: Repository, bus: MemoryBus, stopped: StoppedClock) -> None:
    """Promise: of a range that was heard completely, an answer that broke off is not."""
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms) for ms in range(9)))
    exports = exports_of(BreakingOff(repository._db), bus, stopped)  # noqa: SLF001  the same database
    export = await exports.begin(ME, TicksQuestion("btc_usd", start_ms=T), Kind.INDEX, Format.NDJSON)
    with pytest.raises(BrokenOff):
        await _collect(export, [])
    facts = json.loads(await exports.facts(ME))
    assert (facts["state"], facts["complete"]) == ("failed", False)


async def test_an_earlier_answer_is_forgotten_when_its_name_is_used_again(
    exports: Exports, repository: Repository
) -> None:
    """Promise: while an export is on its way, there are no facts of it, nor those of one before with the same name."""
    await repository.keep(heard([index_tick(T)]))
    await told(exports, Format.CSV)
    assert json.loads(await exports.facts(ME))["format"] == "csv"
    export = await exports.begin(ME, TicksQuestion("btc_usd"), Kind.INDEX, Format.NDJSON)
    with pytest.raises(NotFound):
        await exports.facts(ME)
    await _collect(export, [])
    assert json.loads(await exports.facts(ME))["format"] == "ndjson"


async def test_another_release_has_another_tag(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: the next release may write other bytes."""
    await repository.keep(heard([index_tick(T)]))
    question = Cursor.at_start("btc_usd", T, T + 10)
    rows = (await repository.page(question, Choice(), limit=2, begun=False)).rows
    before = etag_of(Format.CSV, question, None, rows)
    monkeypatch.setattr(etag_of.__module__ + ".__version__", "another")
    assert etag_of(Format.CSV, question, None, rows) != before
