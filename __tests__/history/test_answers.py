"""The same question is asked once, and only what can't have changed is kept."""

import asyncio

import pytest

from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.answers import CLOSED_AFTER_MS, Answer, SharedAnswers, is_closed

OPEN, CLOSED = Answer(b"open", is_closed=False), Answer(b"closed", is_closed=True)


async def test_a_crowd_with_one_question_is_one_query() -> None:
    """Promise: a stampede asks once; who leaves takes nobody's answer away; the next question is asked again."""
    shared, gate, asked = SharedAnswers(), asyncio.Event(), []

    async def ask() -> Answer:
        asked.append(1)
        await gate.wait()
        return OPEN

    crowd = [asyncio.create_task(shared.once("q", ask)) for _ in range(50)]
    await asyncio.sleep(0)  # sleep: one turn, in which all have asked
    crowd[0].cancel()
    gate.set()
    assert await asyncio.gather(*crowd[1:]) == [OPEN] * 49
    assert len(asked) == 1
    assert await shared.once("q", ask) == OPEN
    assert len(asked) == 2


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    """Promise: all who waited are told, and the next one has a new try."""
    shared = SharedAnswers()

    async def fail() -> Answer:
        raise DatabaseUnavailable("away")

    async def ask() -> Answer:
        return CLOSED

    told = await asyncio.gather(shared.once("q", fail), shared.once("q", fail), return_exceptions=True)
    assert all(isinstance(each, DatabaseUnavailable) for each in told)
    assert await shared.once("q", ask) == CLOSED


@pytest.mark.parametrize(
    ("answer", "then", "now", "is_kept"),
    [(OPEN, 1, 1, True), (OPEN, 1, 2, False), (OPEN, None, None, False), (OPEN, 1, None, False), (CLOSED, 1, 2, True),
     (CLOSED, None, None, True)],
)  # fmt: skip
def test_an_answer_is_kept_while_it_is_true(
    answer: Answer, then: int | None, now: int | None, *, is_kept: bool
) -> None:
    """Promise: closed for ever, else as long as the state is known and the same."""
    shared = SharedAnswers()
    shared.keep("q", then, answer)
    assert (shared.kept("q", now) == answer) is is_kept


def test_what_is_kept_has_a_bound() -> None:
    """Promise: the longest unasked leaves first, and what is large is not kept at all."""
    shared = SharedAnswers(kept=2, body_bytes=10)
    shared.keep("a", None, CLOSED)
    shared.keep("b", None, CLOSED)
    assert shared.kept("a", None)
    shared.keep("c", None, CLOSED)
    shared.keep("d", None, Answer(b"x" * 11, is_closed=True))
    assert [name for name in "abcd" if shared.kept(name, None)] == ["a", "c"]


def test_a_range_is_closed_when_it_is_complete_and_past() -> None:
    """Promise: nothing is called unchangeable that rows may still come to."""
    assert is_closed(complete=True, is_start_said=True, end_ms=0, now_ms=CLOSED_AFTER_MS)
    assert not is_closed(complete=True, is_start_said=True, end_ms=1, now_ms=CLOSED_AFTER_MS)
    assert not is_closed(complete=False, is_start_said=True, end_ms=0, now_ms=CLOSED_AFTER_MS)
    assert not is_closed(complete=True, is_start_said=False, end_ms=0, now_ms=CLOSED_AFTER_MS)
    assert OPEN.etag != CLOSED.etag
    assert OPEN.etag[0] == OPEN.etag[-1] == '"'
