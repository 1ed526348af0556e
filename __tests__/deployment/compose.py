"""docker-compose.yml as compose reads it: the names of `.env` filled in, and each service with what it gets."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
OWN_IMAGE = "cryptomarket:"

# docs.docker.com/reference/compose-file/interpolation
_NAMED = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")

Service = dict[str, Any]


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """The text with each `${NAME}`, `${NAME:-otherwise}` and `${NAME:?complaint}` filled in, and `$$` a dollar.

    Raises KeyError with the complaint for a name that is needed and not given.
    """

    def filled(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, operator, rest = found.groups()
        if given.get(name):
            return given[name]
        if operator == ":?":
            raise KeyError(rest)
        return rest or ""

    return _NAMED.sub(filled, text)


def names_read() -> dict[str, bool]:
    """Every name that compose reads from `.env`, and whether it can't do without."""
    names: dict[str, bool] = {}
    for name, operator, _ in (found.groups() for found in _NAMED.finditer(TEXT)):
        if name:
            names[name] = names.get(name, False) or operator == ":?"
    return names


def compose(given: Mapping[str, str] | None = None) -> Service:
    """The whole file, with these names of `.env`; as it is written without any."""
    loaded: Service = yaml.safe_load(TEXT if given is None else interpolated(TEXT, given))
    return loaded


def services(given: Mapping[str, str] | None = None) -> dict[str, Service]:
    """The services by name."""
    found: dict[str, Service] = compose(given)["services"]
    return found


def is_ours(service: Service) -> bool:
    """Whether it runs the project's own image."""
    return str(service["image"]).startswith(OWN_IMAGE)


def memory_mib(service: Service) -> int:
    """The limit of a service's memory."""
    limit = str(service["deploy"]["resources"]["limits"]["memory"])
    assert limit.endswith("m"), limit
    return int(limit.removesuffix("m"))
