"""What the pages say of the deployment is so: their services exist, and their `.env` is one that works."""

import http.client
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from __tests__.deployment.compose import ROOT, is_ours, names_read, services
from cryptomarket.market.instruments import Exchange
from cryptomarket.roles.role import Role, check_role
from cryptomarket.settings import Settings

PAGES = ("README.md", "docs/deployment.md")
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text()
WITHOUT_DOCKER = "docker() { printf '%s ' \"$@\" >>docker; }\ncurl() { :; }\n"


class NotReady(BaseHTTPRequestHandler):
    """A process that hears nothing."""

    ANSWER = b'{"exchange":{"ready":false}}'

    def do_GET(self) -> None:
        self.send_response(http.client.SERVICE_UNAVAILABLE if self.path == "/ready" else http.client.NOT_FOUND)
        self.send_header("Content-Length", str(len(self.ANSWER)))
        self.end_headers()
        self.wfile.write(self.ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Says nothing: the test looks at what the line says."""


def first_start(page: str) -> str:
    """The commands with which a page starts the deployment."""
    text = (ROOT / page).read_text()
    [found] = [part for part in re.split(r"\n\s*\n", text) if part.startswith("    (umask 077")]
    return "\n".join(line[4:] for line in found.splitlines())


@pytest.mark.parametrize("page", PAGES)
def test_the_first_start_makes_a_deployment_that_works(page: str, tmp_path: Path) -> None:
    """Guards the newcomer: the `.env` that the page makes is for its owner alone, each role can work with it, and what
    he writes afterwards is as readable as before.
    """
    script = f"umask 022\n{WITHOUT_DOCKER}{first_start(page)}\ntouch later"
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert (tmp_path / "later").stat().st_mode & 0o777 == 0o644
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


def test_a_restore_leaves_nobody_at_work() -> None:
    """Guards the restored database: whoever runs our image, and might write into it meanwhile, is stopped first."""
    [stopped] = re.findall(r"docker compose stop ([\w ]+)", DEPLOYMENT)
    at_work = {name for name, service in services().items() if is_ours(service)} - {"simulator"}
    assert set(stopped.split()) == at_work | {"nginx"}


def test_an_update_names_everybody_who_is_always_there() -> None:
    """Guards against a service that an update forgets: each is exchanged by name, and the table says its price."""
    ordered = re.findall(r"--no-deps (\w+)$", DEPLOYMENT, re.MULTILINE)
    always = {name: service for name, service in services().items() if "profiles" not in service}
    assert set(ordered) == {name for name, service in always.items() if is_ours(service)}
    table = DEPLOYMENT.partition("| meanwhile |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == always.keys()


def test_who_is_not_ready_says_why() -> None:
    """Guards the operator: the page's line shows the answer of a closed door also when that is a 503."""
    [line] = re.findall(r'docker compose exec ingest python -c "(.+?)"`', DEPLOYMENT)
    with HTTPServer(("127.0.0.1", 0), NotReady) as server:
        server.timeout = 20
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        said = subprocess.run(
            [sys.executable, "-c", line.replace("8003", str(server.server_port))],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        answering.join()
    assert (said.returncode, said.stderr) == (0, "")
    assert NotReady.ANSWER.decode() in said.stdout


def test_the_pages_name_settings_that_exist() -> None:
    """Guards the page against names that compose and the gateway no longer read."""
    named = {
        *re.findall(r"`([A-Z][A-Z_]+)(?:=[^`]*)?`", DEPLOYMENT),
        *re.findall(r"^ +([A-Z_]+)=", DEPLOYMENT, re.MULTILINE),
    }
    known = {name.upper() for name in Settings.model_fields} | names_read().keys()
    assert len(named) >= 12
    assert {name for name in named if name not in known} <= {"COMPOSE_PROFILES"}
