"""The forms of the product that can be measured, by name, and what is measured of each unless something is named."""

from collections.abc import Mapping

from benchmarks.deployment import Form
from benchmarks.embedded import embedded
from benchmarks.scaled import scaled

FORMS: Mapping[str, Form] = {"embedded": embedded, "scaled": scaled}
MEASURED: Mapping[str, tuple[str, ...]] = {
    "embedded": ("fanout", "full", "latency", "ingest", "resume", "slow", "capacity", "rest", "history", "jobs"),
    "scaled": ("fanout", "full", "latency", "ingest", "following", "resume", "rest", "history", "jobs"),
}
