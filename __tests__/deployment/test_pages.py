"""What the pages say of the deployment is so: their services exist, and their `.env` is one that works."""

import re
import subprocess
from pathlib import Path

import pytest

from __tests__.deployment.compose import ROOT, names_read, services
from cryptomarket.market.instruments import Exchange
from cryptomarket.roles.role import Role, check_role
from cryptomarket.settings import Settings

PAGES = ("README.md", "docs/deployment.md")
WITHOUT_DOCKER = "docker() { printf '%s ' \"$@\" >>docker; }\ncurl() { :; }\n"


def first_start(page: str) -> str:
    """The commands with which a page starts the deployment."""
    text = (ROOT / page).read_text()
    [found] = [part for part in re.split(r"\n\s*\n", text) if part.startswith("    umask 077")]
    return "\n".join(line[4:] for line in found.splitlines())


@pytest.mark.parametrize("page", PAGES)
def test_the_first_start_makes_a_deployment_that_works(page: str, tmp_path: Path) -> None:
    """Guards the newcomer: the `.env` that the page makes is for its owner alone, and each role can work with it."""
    script = WITHOUT_DOCKER + first_start(page)
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert (tmp_path / "docker").read_text() == "compose up --build --detach --wait "
    lines = [line.partition("=") for line in (tmp_path / ".env").read_text().splitlines()]
    given = {name: value for name, _, value in lines}
    secrets = [value for name, value in given.items() if name.endswith(("_SECRET", "_KEY", "_PASSWORD"))]
    assert len(secrets) == len(set(secrets)) == 4
    for service, role in (("api", Role.API), ("ingest", Role.INGEST), ("writer", Role.WRITE)):
        environment = given | services(given)[service]["environment"]
        values = {name.lower(): value for name, value in environment.items() if value}
        settings = Settings.model_validate(values)
        check_role(settings, role)
        simulated = settings.exchange is Exchange.SIMULATOR
        assert simulated == (page == "README.md") == ("COMPOSE_PROFILES" in given)
        if simulated:
            started = services(given)["simulator"]
            assert started["profiles"] == [given["COMPOSE_PROFILES"]]
            assert settings.deribit_ws_url == f"ws://simulator:{started['command'][-1]}/ws/api/v2"


def test_the_pages_name_services_that_exist() -> None:
    """Guards commands against a service that has been renamed."""
    text = "".join((ROOT / page).read_text() for page in PAGES)
    named = set(re.findall(r"docker compose exec (?:-T )?(\w+)", text))
    named |= set(re.findall(r"(?:--no-deps |--profile |--scale |up --detach )(\w+)", text))
    named |= {word for found in re.findall(r"docker compose stop ([\w ]+)", text) for word in found.split()}
    assert len(named) >= 7
    assert named <= services().keys()


def test_the_pages_name_settings_that_exist() -> None:
    """Guards the page against names that compose and the gateway no longer read."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    named = {*re.findall(r"`([A-Z][A-Z_]+)(?:=[^`]*)?`", text), *re.findall(r"^ +([A-Z_]+)=", text, re.MULTILINE)}
    known = {name.upper() for name in Settings.model_fields} | names_read().keys()
    assert len(named) >= 12
    assert {name for name in named if name not in known} <= {"COMPOSE_PROFILES"}
