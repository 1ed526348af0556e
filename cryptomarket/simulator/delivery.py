"""Frames on their way to the sockets: encoded once, skewed and troubled where a fault says so, counted."""

from collections.abc import Iterable

from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.faults import Faults, Running
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.outgoing import Close, Outgoing, Send
from cryptomarket.simulator.spelling import notification
from cryptomarket.simulator.subscriptions import Notice
from cryptomarket.simulator.trouble import Trouble, shift_timestamps


class Delivery:
    """Knows the open connections. ``skew_us`` is how far the exchange's clock runs ahead."""

    def __init__(self, faults: Faults, journal: Journal) -> None:
        self.connections: dict[int, Connection] = {}
        self.skew_us = 0
        self.trouble = Trouble(faults)
        self._faults, self._journal = faults, journal

    def tell(self, notices: Iterable[Notice], now_us: int) -> list[Outgoing]:
        """Notifications; each is encoded once for all its followers."""
        outgoing: list[Outgoing] = []
        troubled = self._faults.touches_notifications()
        for notice in notices:
            frame = self.stamped(notification(notice.channel, notice.data))
            if troubled:
                sent = self.trouble.apply(notice.channel, frame, notice.connections, self.connections)
            else:
                sent = [Send(notice.connections, frame)]
            for order in sent:
                if isinstance(order, Send):
                    self._note(notice.channel, order, now_us)
            outgoing += sent
        return outgoing

    def release(self, running: Running, now_us: int) -> list[Outgoing]:
        """What a fault that ends still held back."""
        released = self.trouble.release(running)
        for channel, order in released:
            self._note(channel, order, now_us)
        return [order for _, order in released]

    def _note(self, channel: str, order: Send, now_us: int) -> None:
        self._count(order.connections, now_us)
        self._journal.note(channel, order.connections, order.text, now_us)

    def say(self, connection: Connection, frame: bytes, now_us: int) -> list[Outgoing]:
        """A reply or a heartbeat."""
        self._count((connection.id,), now_us)
        self._journal.frames += 1
        return [Send((connection.id,), self.stamped(frame))]

    def close(self, connection: Connection, code: int, reason: str = "") -> Close:
        """The end of a connection; code 0 cuts it without a closing frame."""
        self._journal.closes[f"{code} {reason}".strip()] += 1
        return Close(connection.id, code, reason if code else "")

    def stamped(self, frame: bytes) -> bytes:
        """The frame with the exchange's own idea of the time."""
        return shift_timestamps(frame, self.skew_us) if self.skew_us else frame

    def _count(self, numbers: Iterable[int], now_us: int) -> None:
        for number in numbers:
            connection = self.connections.get(number)
            # It may have left while a reordering held its frame.
            if connection is not None:
                connection.spoke_us = now_us
                connection.frames_sent += 1
