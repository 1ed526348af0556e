"""The storm: many streams, each cut at random again and again, over two processes that come and go themselves.

What each customer has heard in all his lives is one sequence, and is held against the log, byte for byte; the log is
held against what the exchange has sent.
"""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from httpx_sse import ServerSentEvent

from __tests__.journeys.gateway import Gateway, Reader
from __tests__.journeys.light import Block, LightReader, light_reader
from __tests__.journeys.scaled import PREFIX, Deployment
from __tests__.journeys.witness import check_truth

STREAMS = int(os.environ.get("STORM_STREAMS", "40"))
SECONDS = float(os.environ.get("STORM_SECONDS", "6"))
SEED = int(os.environ.get("STORM_SEED", "1"))
LIFE_S = float(os.environ.get("STORM_LIFE_S", "1"))
"""How long a customer listens before he is cut, on average."""

DEADLINE_S = 60.0
TOLD = frozenset({"message", "status", "gap"})
_PLACE = re.compile(r'\{"seq":(\d+),"prev_seq":(\d+|null),"ticker":"([^"]+)"')
_OF_KIND = {b"tick": "message", b"status": "status", b"gap": "gap"}


@dataclass(frozen=True, slots=True)
class Word:
    """One publication about a ticker: its place, its predecessor, and its text."""

    seq: int
    prev_seq: int | None
    ticker: str
    event: str
    text: str


def word_of(block: Block) -> Word | None:
    """What a block tells of a ticker with a place of its own, None for anything else."""
    found = _PLACE.match(block.text) if block.name in TOLD else None
    if found is None:
        return None
    return Word(int(found[1]), None if found[2] == "null" else int(found[2]), found[3], block.name, block.text)


def log_of(built: Deployment) -> dict[int, Word]:
    """Everything that was published about tickers, as streams tell it. Asserts that there was one epoch."""
    words = {}
    with built.redis_client() as client:
        keys = client.keys(f"{PREFIX}log:*")
        assert len(keys) == 1, keys
        for id_, fields in client.xrange(keys[0]):
            event = _OF_KIND.get(fields[b"kind"])
            if event is not None:
                seq = int(id_.partition(b"-")[2])
                previous = (fields.get(b"prev_seq") or fields.get(b"prev") or b"null").decode()
                text = f'{{"seq":{seq},"prev_seq":{previous},{fields[b"payload"].decode()[1:]}'
                found = _PLACE.match(text)
                assert found is not None, text
                words[seq] = Word(seq, None if previous == "null" else int(previous), found[3], event, text)
    return words


@dataclass
class Customer:
    """One who wants everything about his tickers, and is cut off and comes back until the storm is over."""

    token: str
    tickers: frozenset[str]
    chance: random.Random
    words: list[Word] = field(default_factory=list)
    openings: Counter[str] = field(default_factory=Counter)
    first_seq: int = 0
    last_id: str = ""

    async def weather(self, gates: Sequence[Gateway], over: asyncio.Event) -> None:
        """Comes and goes until the storm is over."""
        while not over.is_set():
            reader = await self._come(self.chance.choice(gates))
            if reader is not None:
                life = asyncio.create_task(over.wait())
                await asyncio.wait((life,), timeout=self.chance.expovariate(1 / LIFE_S))
                life.cancel()
                self._note(reader)
                reader.leave()

    async def hear_out(self, gate: Gateway, seq: int) -> None:
        """Comes back, and stays until he has heard everything up to a sequence. A stream that is ended on the way, by a
        machine that is too busy to ask its bus in time, is left with a word, and loses nothing either.
        """
        async with asyncio.timeout(DEADLINE_S):
            while int(self.last_id.rpartition("-")[2] or 0) < seq:
                reader = await self._come(gate)
                if reader is None:
                    continue
                while not reader.ended and int(reader.last_id.rpartition("-")[2] or 0) < seq:
                    await reader.moved()
                assert not reader.ended or reader.named("disconnected"), "ended without a word"
                self._note(reader)
                reader.leave()

    async def _come(self, gate: Gateway) -> LightReader | None:
        """A stream that goes on where the last one was cut; None when nobody is there to serve it."""
        try:
            reader = await light_reader(gate, self.token, {"tickers": ",".join(self.tickers)}, last_id=self.last_id)
        except ConnectionError:
            await nobody_there()
            return None
        async with asyncio.timeout(DEADLINE_S):
            while not (reader.ended or reader.counts["connected"]):
                await reader.moved()
        if not reader.counts["connected"]:
            # The process went while it was asked, or said that it is about to.
            assert reader.status in {None, 200, 503}, f"refused with {reader.status}"
            reader.leave()
            await nobody_there()
            return None
        return reader

    def _note(self, reader: LightReader) -> None:
        connected = reader.named("connected")[0].data
        epoch = connected["position"].rpartition("-")[0]
        self.openings[connected["resume"]] += 1
        if not self.first_seq:
            self.first_seq = int(connected["position"].rpartition("-")[2])
        for block in reader.blocks:
            word = word_of(block)
            if word is not None:
                assert block.id == f"{epoch}-{word.seq}", "an id that is not the event's place"
                self.words.append(word)
            if block.id:
                self.last_id = block.id

    def check(self, log: dict[int, Word], last_seq: int) -> int:
        """Asserts that he has heard everything about his tickers, once each and in order, byte for byte. How many."""
        assert set(self.openings) <= {"fresh", "complete"}, self.openings
        assert self.openings["fresh"] == 1
        seqs = [word.seq for word in self.words if word.seq <= last_seq]
        assert seqs == sorted(set(seqs)), "something came twice, or out of order"
        owed = [seq for seq, word in log.items() if word.ticker in self.tickers and self.first_seq < seq <= last_seq]
        assert seqs == sorted(owed), (
            f"lost: {sorted(set(owed) - set(seqs))[:5]}; made up: {sorted(set(seqs) - set(owed))[:5]}"
        )
        newest: dict[str, int] = {}
        for word in self.words[: len(seqs)]:
            assert word == log[word.seq]
            assert word.ticker not in newest or word.prev_seq == newest[word.ticker]
            newest[word.ticker] = word.seq
        return len(seqs)


async def nobody_there() -> None:
    """The process is gone: it comes back, or another does."""
    await asyncio.sleep(0.05)  # sleep: nobody tells a client when a process is back


def check_log(built: Deployment, log: dict[int, Word], tickers: Sequence[str]) -> None:
    """Asserts that the log is what the exchange has sent: nothing made up, and what is missing lies in a told gap."""
    reader = Reader()
    reader.events = [
        ServerSentEvent(event=word.event, data=word.text, id=f"e-{seq}") for seq, word in sorted(log.items())
    ]
    for ticker in tickers:
        check_truth(reader, built.simulator, ticker)
