"""What one delivery costs the server, and how late it is: the product beside its rivals, round by round."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Crowd, Latency, Measured, Target, crowd
from benchmarks.deployment import Deployment, Form, playing
from benchmarks.market import FIFTY, TEN, Script
from benchmarks.rivals.running import Rival, limit, naive, nchan, nchan_module, plain, published

PRODUCT = "cryptomarket"
OWN_SETS = "cryptomarket, each stream a set of its own"
SILENT = FIFTY[-11:]
"""Tickers that say nothing; with them, 2048 streams can want 2048 different sets and still hear the same."""


OPEN_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """So many streams that each get so many events a second. Without `has_naive`, the design that most people write is
    left out, which has fallen behind long before.
    """

    streams: int
    rate: float
    rounds: int
    window_s: float
    warm_s: float
    has_naive: bool = True


@dataclass(frozen=True, slots=True)
class Round:
    """One window of one server. `unheard` streams had got nothing yet OPEN_LIMIT_S seconds after they were opened."""

    cpu_us: float
    deliveries: int
    offered: float
    core_share: float
    crowd_core_share: float
    kb_per_stream: float
    latency_us: Latency
    breaks: int
    doubled: int
    unheard: int


@dataclass(frozen=True)
class Contender:
    """A server, and how a round of it is begun."""

    name: str
    port: int
    targets: Sequence[Target]
    cpu_s: Callable[[], float]
    resident_bytes: Callable[[], int]
    speaking: Callable[[], AbstractContextManager[None]]


def measured_round(contender: Contender, load: Load, folder: Path) -> Round:
    """Opens all streams, warms up, counts, and lets them go."""
    before_bytes = contender.resident_bytes()
    with contender.speaking(), crowd(contender.port, load.streams, contender.targets, folder) as readers:
        # A server whose core is full leaves some unheard, and that is a result, too.
        unheard = readers.try_open(OPEN_LIMIT_S).awaiting
        held_bytes = contender.resident_bytes() - before_bytes
        readers.warm(load.warm_s)
        found, cpu_s = window(readers, load.window_s, contender.cpu_s)
        readers.rest()
    return Round(
        cpu_us=cpu_s / max(found.events, 1) * 1e6,
        deliveries=found.events,
        offered=load.streams * load.rate * found.window_s,
        core_share=cpu_s / found.window_s,
        crowd_core_share=found.cpu_s / found.window_s,
        kb_per_stream=held_bytes / load.streams / 1024,
        latency_us=found.latency_us["published_us"],
        breaks=found.breaks,
        doubled=found.doubled,
        unheard=unheard,
    )


def window(readers: Crowd, seconds: float, cpu_s: Callable[[], float]) -> tuple[Measured, float]:
    """One window, and what the server used meanwhile."""
    before_s = cpu_s()
    found = readers.measure(seconds)
    return found, cpu_s() - before_s


@contextmanager
def _nothing() -> Iterator[None]:
    """The exchange speaks anyway."""
    yield


def _contender(rival: Rival, load: Load, folder: Path) -> Contender:
    def speaking() -> AbstractContextManager[None]:
        return published(rival, folder, rate=load.rate, seconds=60)

    running = rival.program
    return Contender(
        rival.name, rival.port, [rival.target], lambda: running.cpu_s, lambda: running.resident_bytes, speaking
    )


def _acquaint(contender: Contender, folder: Path) -> None:
    """A few streams first: what a server does once, and keeps, is no cost of the first round."""
    with contender.speaking(), crowd(contender.port, 20, contender.targets, folder) as readers:
        readers.open()
        readers.rest()


def _product(name: str, running: Deployment, targets: Sequence[Target]) -> Contender:
    return Contender(name, running.port, targets, lambda: running.cpu_s, lambda: running.resident_bytes, _nothing)


def own_sets(running: Deployment, count: int) -> list[Target]:
    """Targets with as many different sets of tickers, all of which hear the same."""
    found = []
    for number in range(count):
        extra = [ticker for bit, ticker in enumerate(SILENT) if number >> bit & 1]
        found.append(running.target(",".join([*TEN, *extra])))
    return found


def fanout(
    folder: Path, load: Load, form: Form, tell: Callable[[str], None], *, only: str | None = None
) -> dict[str, list[Round]]:
    """All contenders, or one of them, in every round in turn. Nobody wants the product's exchange but in its turn."""
    rivals = [limit, plain] if only is None else []
    if rivals and load.has_naive:
        rivals.append(naive)
    if rivals and nchan_module():
        rivals.append(nchan)
    # Long enough for all rounds; what is left over is never played.
    seconds = 45 + load.rounds * ((len(rivals) + 2) * (load.warm_s + load.window_s + 6) + OPEN_LIMIT_S)
    with ExitStack() as stack:
        running = stack.enter_context(playing(folder, Script(load.rate, TEN, silent=SILENT), seconds, form=form))
        product = [
            _product(PRODUCT, running, [running.target(",".join(TEN))]),
            _product(OWN_SETS, running, own_sets(running, load.streams)),
        ]
        contenders = [contender for contender in product if only in (None, contender.name)]
        contenders += [_contender(stack.enter_context(rival(folder)), load, folder) for rival in rivals]
        for contender in contenders:
            _acquaint(contender, folder)
        rounds: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
        for number in range(load.rounds):
            for contender in contenders:
                tell(f"{load.streams} streams × {load.rate:g}/s, round {number + 1}: {contender.name}")
                rounds[contender.name].append(measured_round(contender, load, folder))
    return rounds
