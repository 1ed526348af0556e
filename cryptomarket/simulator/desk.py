"""What a method has at hand: one request, and the parts of the exchange that answer it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptomarket.simulator.accounts import Accounts, Grant
from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.params import Param
from cryptomarket.simulator.refusals import bad_param
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.subscriptions import Notice, Subscriptions
from cryptomarket.simulator.world import World


@dataclass(slots=True)
class Call:
    """One request being answered.

    ``clock_us`` is the exchange's own clock, which a fault may skew; ``now_us`` the true time. ``after`` collects
    what follows the reply; a method that ends the connection sets ``close_code`` and may withhold its reply.
    """

    method: str
    params: dict[str, Any]
    now_us: int
    connection: Connection | None = None
    grant: Grant | None = None
    clock_us: int = 0
    after: list[Notice] = field(default_factory=list)
    close_code: int | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of the exchange, handed to every method."""

    world: World
    accounts: Accounts
    subscriptions: Subscriptions
    journal: Journal
    options: SimulatorOptions

    def listing(self, call: Call, name: str = "instrument_name") -> Listing:
        """The instrument that a parameter names.

        Raises:
            Refusal: -32602 ``wrong format`` for what cannot be a name, ``instrument not found`` otherwise.
        """
        given = call.params[name]
        found = self.world.find(given)
        if found is None:
            known_shape = "-" in given or "_" in given
            raise bad_param(name, "instrument not found" if known_shape else "wrong format")
        return found


@dataclass(frozen=True, slots=True)
class Method:
    """A method: what answers it, what it accepts, and where it may be called."""

    answer: Callable[[Desk, Call], Json]
    params: tuple[Param, ...] = ()
    websocket_only: bool = False
