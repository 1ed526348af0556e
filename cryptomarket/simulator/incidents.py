"""Faults taking effect: what starting and ending one does, and which requests they stand in the way of."""

from collections.abc import Iterable

from cryptomarket.simulator.accounts import Accounts
from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.delivery import Delivery
from cryptomarket.simulator.faults import Faults, Running
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.outgoing import Outgoing, Stall
from cryptomarket.simulator.refusals import TOO_MANY_REQUESTS, Refusal
from cryptomarket.simulator.replies import Request
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.subscriptions import Subscriptions
from cryptomarket.simulator.world import World

_MAINTENANCE = 11051


class Incidents:
    """Turns the script into what happens to connections, requests and the world."""

    def __init__(
        self,
        faults: Faults,
        delivery: Delivery,
        world: World,
        subscriptions: Subscriptions,
        accounts: Accounts,
        journal: Journal,
    ) -> None:
        self._faults, self._delivery, self._world = faults, delivery, world
        self._subscriptions, self._accounts, self._journal = subscriptions, accounts, journal
        self._closing_us: list[int] = []

    def due_us(self) -> int | None:
        """When a fault starts or ends, or maintenance ends the connections."""
        times = [*self._closing_us, *filter(None, [self._faults.due_us()])]
        return min(times, default=None)

    def pass_time(self, now_us: int, maintenance_close_code: int) -> list[Outgoing]:
        """Everything that starts or ends now."""
        outgoing: list[Outgoing] = []
        due_us = self._faults.due_us()
        if due_us is not None and due_us <= now_us:
            for running in self._faults.turn(now_us):
                outgoing += self._turn(running, now_us)
        if any(time_us <= now_us for time_us in self._closing_us):
            self._closing_us = [time_us for time_us in self._closing_us if time_us > now_us]
            connections = self._delivery.connections.values()
            outgoing += [self._delivery.close(item, maintenance_close_code, "maintenance") for item in connections]
        return outgoing

    def arrived(self, connection: Connection) -> list[Outgoing]:
        """A connection that opens during a stall stands still at once."""
        stalled = any(running.hits_connection(connection.id, "") for running in self._faults.on("stall"))
        return [Stall(connection.id, on=True)] if stalled else []

    def swallows(self, method: str, connection: Connection) -> bool:
        """Whether a request gets no answer at all."""
        for running in self._faults.on("mute"):
            if running.hits_method(method) and running.hits_connection(connection.id, connection.client_id):
                running.applied += 1
                return True
        return False

    def obstruct(self, request: Request, connection: Connection | None) -> None:
        """Lets a request pass, or refuses it.

        Raises:
            Refusal: with the code that the script names.
        """
        for running in self._faults.on("maintenance", "too_many_requests", "refuse", "refuse_logins"):
            kind = running.fault.kind
            hits = self._hits(running, request)
            if not hits or not (connection is None or running.hits_connection(connection.id, connection.client_id)):
                continue
            running.applied += 1
            if kind == "refuse_logins":
                self._journal.logins_refused += 1
            code = {"maintenance": _MAINTENANCE, "too_many_requests": TOO_MANY_REQUESTS}.get(kind, running.fault.code)
            raise Refusal(code, ends_session=code == TOO_MANY_REQUESTS)

    @staticmethod
    def _hits(running: Running, request: Request) -> bool:
        match running.fault.kind:
            case "refuse_logins":
                return request.method == "public/auth"
            case "refuse":
                return running.hits_request(request.method, request.params)
        return running.hits_method(request.method)

    def _turn(self, running: Running, now_us: int) -> list[Outgoing]:
        starts, fault = running.phase == "on", running.fault
        match fault.kind:
            case "drop" if starts:
                return [self._delivery.close(item, fault.close_code, "fault") for item in self._hit(running)]
            case "stall":
                return [Stall(item.id, on=starts) for item in self._hit(running)]
            case "reorder" if not starts:
                return self._delivery.release(running, now_us)
            case "expire_tokens" if starts:
                running.applied += self._accounts.expire(running.hits_client, now_us)
            case "clock_skew":
                self._delivery.skew_us += fault.skew_ms * (1000 if starts else -1000)
            case "maintenance" if starts:
                if fault.close_after_s is not None:
                    self._closing_us.append(now_us + int(fault.close_after_s * 1e6))
                return self._delivery.tell(self._subscriptions.say("platform_state", {"maintenance": True}), now_us)
            case "maintenance" if not self._faults.on("maintenance"):
                return self._delivery.tell(self._subscriptions.say("platform_state", {"maintenance": False}), now_us)
            case "lock_index":
                return self._lock(fault.names, starts, now_us)
            case "instrument_state":
                return self._restate(running, fault.state if starts else "open", now_us)
        return []

    def _lock(self, names: Iterable[str], locked: bool, now_us: int) -> list[Outgoing]:  # on or off
        outgoing: list[Outgoing] = []
        for name in names:
            (self._world.locked.add if locked else self._world.locked.discard)(name)
            data: Json = {"price_index": name, "locked": locked}
            outgoing += self._delivery.tell(self._subscriptions.say("platform_state", data), now_us)
        return outgoing

    def _restate(self, running: Running, state: str, now_us: int) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for listing in self._world.named(running.fault.names):
            self._world.tickers.states[listing.name] = state
            outgoing += self._delivery.tell(self._subscriptions.say_state(listing, state, now_us), now_us)
        return outgoing

    def _hit(self, running: Running) -> list[Connection]:
        connections = self._delivery.connections.values()
        found = [item for item in connections if running.hits_connection(item.id, item.client_id)]
        running.applied += len(found[: running.fault.count])
        return found[: running.fault.count]
