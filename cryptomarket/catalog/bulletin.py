"""News of instruments, told by whoever hears the exchange to every process that has a catalogue."""

import asyncio
from collections.abc import Callable
from itertools import islice

import msgspec

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus, Notice, NoticeKind
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.errors import BusUnavailable

AT_ONCE = 200
"""Bound: instruments of one notice."""

MAX_UNTOLD = 10_000
RELISTEN_S = 0.5
LOOK_AGAIN = Notice(NoticeKind.INSTRUMENTS, "{}")
"""Without a name: whoever hears it asks the exchange for all of them."""

_decoder = msgspec.json.Decoder(dict[str, str])


def no_news() -> None:
    """Nobody of this process keeps what the exchange has listed."""


class Bulletin:
    """Tells on the bus what the exchange says of instruments, and gives the catalogue what others tell.

    Bound: one state of each of 10,000 instruments waits for the bus; beyond that it is told to look again. A notice may
    be lost, and the catalogue asks anew by itself every hour. `on_listed` is called when there may be something that
    was not there before.
    """

    def __init__(
        self, catalogue: Catalogue, bus: Bus, *, random: Callable[[], float], on_listed: Callable[[], None] = no_news
    ) -> None:
        self._catalogue = catalogue
        self._bus = bus
        self._backoff = Backoff(base_s=0.1, cap_s=5.0, random=random)
        self._on_listed = on_listed
        self._untold: dict[str, str] = {}
        self._all_untold = False
        self._more = asyncio.Event()

    def tell(self, name: str, state: str) -> None:
        """The exchange says here that an instrument is in another state. Waits for nothing."""
        self._learn(name, state)
        self._untold[name] = state
        if len(self._untold) > MAX_UNTOLD:
            self._untold.clear()
            self._all_untold = True
        self._more.set()

    async def speak(self) -> None:
        """Tells the others, at once, and again when the bus was away; for as long as it runs."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._all_untold or self._untold:
                try:
                    await self._speak_once()
                except BusUnavailable:
                    await asyncio.sleep(self._backoff.next_s())
                else:
                    self._backoff.reset()

    async def _speak_once(self) -> None:
        if self._all_untold:
            self._all_untold = False
            try:
                await self._bus.notify(LOOK_AGAIN)
            except BusUnavailable:
                self._all_untold = True
                raise
            return
        batch = dict(islice(self._untold.items(), AT_ONCE))
        await self._bus.notify(Notice(NoticeKind.INSTRUMENTS, msgspec.json.encode(batch).decode()))
        # What was told anew meanwhile is told again.
        self._untold = {name: state for name, state in self._untold.items() if batch.get(name) != state}

    async def listen(self) -> None:
        """Gives the catalogue what is told, by whichever process; for as long as it runs."""
        was_deaf = False
        while True:
            try:
                notices = self._bus.notices()
                if was_deaf:
                    self._look_again()
                was_deaf = False
                async for notice in notices:
                    if notice.kind is NoticeKind.INSTRUMENTS:
                        self._hear(notice.subject)
            except BusUnavailable:
                was_deaf = True
                await asyncio.sleep(RELISTEN_S)

    def _hear(self, subject: str) -> None:
        try:
            states = _decoder.decode(subject)
        except msgspec.DecodeError:
            # While processes are updated one by one, a newer one may tell it otherwise.
            states = {}
        if not states:
            self._look_again()
        for name, state in states.items():
            self._learn(name, state)

    def _look_again(self) -> None:
        self._on_listed()
        self._catalogue.look_again()

    def _learn(self, name: str, state: str) -> None:
        if not self._catalogue.restate(name, state):
            self._on_listed()
