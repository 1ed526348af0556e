"""What docker-compose.yml starts: settings that can work, within the memory of a small host, and one door to it."""

import inspect
import os
import re
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as LostConnection

from __tests__.backplane.redis_server import free_port, until
from __tests__.deployment.compose import ROOT, compose, interpolated, is_ours, memory_mib, names_read, services
from __tests__.postgres_server import PostgresServer, programs
from cryptomarket.db import Database
from cryptomarket.roles.role import Role, check_role
from cryptomarket.settings import Settings, load_settings

HOST_MIB = 1024
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"  # docs.docker.com/engine/network/drivers/bridge
GIVEN = {
    "EXCHANGE": "production",
    "SEAL_SECRET": "s" * 64,
    "TOKEN_KEY": "t" * 64,
    "REDIS_PASSWORD": "redispassword",
    "POSTGRES_PASSWORD": "postgrespassword",
    "DERIBIT_CLIENT_ID": "key",
    "DERIBIT_CLIENT_SECRET": "secret",
    "FLOWER_USER": "somebody",
    "FLOWER_PASSWORD": "flowerpassword",
}
ROLES = {"api": Role.API, "ingest": Role.INGEST, "writer": Role.WRITE}
HAVE_A_DATABASE = (*ROLES, "worker")
ITS_LOCK = 1
ITS_OWN_PROCESSES = 16
KEPT_FOR_SUPERUSERS = 3  # superuser_reserved_connections, as it is by default
# Emptied for everybody: .env has them for another name of one service.
OF_FLOWER = {"flower_user", "flower_password"}
SECRETS = [name for name in GIVEN if name.endswith(("_SECRET", "_KEY", "_PASSWORD"))]
OWN = sorted(name for name, service in services().items() if is_ours(service))


def test_everything_fits_into_one_gigabyte() -> None:
    """Guards the small host: the limits of all services, profiles included, fit into it."""
    limits = {name: memory_mib(service) for name, service in services(GIVEN).items()}
    assert sum(limits.values()) <= HOST_MIB, limits


def test_the_documented_limits_are_those_that_are_set() -> None:
    """Guards the table in docs/deployment.md against a change in one place alone."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    told = {name: int(limit) for name, limit in re.findall(r"^\| `(\w+)`[^|]*\| (\d+) \|", page, re.MULTILINE)}
    assert told == {name: memory_mib(service) for name, service in services(GIVEN).items()}
    assert f"{sum(told.values())} MiB of {HOST_MIB}" in page


def test_nothing_is_published_but_the_door() -> None:
    """Guards Redis, PostgreSQL and the processes: no port leads there; in the clear, only the host's own."""
    published = {name: service["ports"] for name, service in services(GIVEN).items() if "ports" in service}
    assert published == {"nginx": ["127.0.0.1:8080:8080", "8443:8443"]}
    assert [name for name, service in services().items() if "network_mode" in service] == []


def test_the_servers_are_out_of_reach() -> None:
    """Guards the inner network: nothing on it but what needs it, no way out of it, and nginx not in it."""
    whole = compose(GIVEN)
    assert whole["networks"]["back"] == {"internal": True}
    assert whole["networks"]["front"]["driver_opts"] == {MASQUERADE: "false"}
    for name in ("redis", "postgres", "writer", "worker", "beat", "simulator"):
        assert list(whole["services"][name]["networks"]) == ["back"]
    assert list(whole["services"]["nginx"]["networks"]) == ["front"]
    assert [name for name, service in whole["services"].items() if "outside" in service["networks"]] == ["ingest"]


def test_only_nginx_is_believed() -> None:
    """Guards the limits per address: forwarded headers count from nginx's own fixed address alone."""
    started = services(GIVEN)
    address = started["nginx"]["networks"]["front"]["ipv4_address"]
    assert started["api"]["environment"]["TRUSTED_PROXIES"] == address
    assert started["nginx"]["extra_hosts"] == [f"gateway:{started['api']['networks']['front']['ipv4_address']}"]
    fixed = [
        service["networks"]["front"]["ipv4_address"]
        for service in started.values()
        if "front" in service["networks"] and isinstance(service["networks"], dict)
    ]
    assert len(fixed) == len(set(fixed)) == 4


def test_what_compose_reads_the_gateway_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards a `.env` that serves both: no name that compose reads is refused by `cryptomarket` as a slip."""
    monkeypatch.chdir(tmp_path)
    values = GIVEN | {"PROJECT_MODE": "production", "LOG_FORMAT": "json"}
    for name in names_read():
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("".join(f"{name}={values.get(name, '40000')}\n" for name in names_read()))
    assert load_settings().exchange == "production"


@pytest.mark.parametrize("service", sorted(ROLES))
def test_every_role_can_work_with_what_it_is_given(service: str) -> None:
    """Guards the deployment against the sentence with which a process refuses its settings."""
    started = services(GIVEN)[service]
    environment = started["environment"]
    assert {name.lower() for name in environment} <= Settings.model_fields.keys() | OF_FLOWER
    settings = Settings.model_validate({name.lower(): value for name, value in environment.items() if value})
    command = started["command"]
    assert command[:4] == ["cryptomarket", "serve", "--role", ROLES[service]]
    workers = int(command[5]) if "--workers" in command else 1
    check_role(settings, ROLES[service], workers)
    assert settings.project_mode == "production"
    assert settings.database_name == "cryptomarket_production_production"
    assert settings.app_host == "0.0.0.0"


def test_each_role_has_only_the_secrets_that_it_needs() -> None:
    """Guards against one broken process giving away what it never needed."""
    started = services(GIVEN)
    # What .env holds reaches each of them, unless it is emptied.
    given = {
        name: {said for said in SECRETS if (GIVEN | started[name]["environment"])[said]}
        for name in OWN
        if "env_file" in started[name]
    }
    stored = {"POSTGRES_PASSWORD"}
    assert {name: said - {"REDIS_PASSWORD"} for name, said in given.items()} == {
        "api": stored | {"SEAL_SECRET", "TOKEN_KEY"},
        "ingest": stored | {"SEAL_SECRET", "DERIBIT_CLIENT_SECRET"},
        "writer": stored,
        "worker": stored,
        "beat": set(),
        "flower": set(),
    }
    assert started["flower"]["environment"]["FLOWER_BASIC_AUTH"] == "somebody:flowerpassword"
    assert all("FLOWER_BASIC_AUTH" not in started[name]["environment"] for name in given.keys() - {"flower"})
    assert "env_file" not in services()["redis"] | services()["postgres"] | services()["nginx"]


@pytest.mark.parametrize("name", sorted(name for name, needed in names_read().items() if needed))
def test_a_secret_that_is_missing_is_asked_for(name: str) -> None:
    """Guards against a deployment with an empty password: compose refuses, with a sentence that says where it goes."""
    with pytest.raises(KeyError, match=r"\.env"):
        services({key: value for key, value in GIVEN.items() if key != name})


@pytest.mark.parametrize("service", OWN)
def test_every_process_begins_when_it_can_work(service: str) -> None:
    """Guards the order of the start: nobody before the servers that he stands on say that they are well."""
    waits = services()[service].get("depends_on", {})
    assert all(each["condition"] == "service_healthy" for each in waits.values())
    if service in ROLES:
        assert {"redis", "postgres"} <= waits.keys()
    for name, each in waits.items():
        assert each.get("required", True) or "profiles" in services()[name]


@pytest.mark.parametrize("service", OWN)
def test_what_says_that_a_process_is_well_is_in_its_image(service: str) -> None:
    """Guards against a check that calls a program which the image has not got."""
    command = services()[service]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    compile(command[3], "healthcheck", "exec")
    touched = re.search(r"/(\w+)\.alive", command[3])
    if touched is not None:
        assert (
            services()[service]["command"]
            == ["python", "-m", f"cryptomarket.{touched[1]}"]
            == ["python", "-m", f"cryptomarket.{service}"]
        )
        return
    path = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)'", command[3])
    assert path is not None
    ports = [*services()[service].get("expose", []), services()[service].get("environment", {}).get("APP_PORT")]
    assert path[1] in str(services()[service]["command"]) or path[1] in ports


def test_redis_starts_as_it_is_told_to(tmp_path: Path) -> None:
    """Guards Redis's own line, on a real one: the password is asked for, and stands in no list of processes; nothing is
    evicted, and what was said survives.
    """
    service = services(GIVEN)["redis"]
    shell, flag, script = service["command"]
    port = free_port()
    script = script.replace("--dir /data", f"--dir {tmp_path} --port {port} --bind 127.0.0.1")
    password = service["environment"]["REDISCLI_AUTH"]
    process = subprocess.Popen(
        [shell, flag, script],
        env={"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": password},
        stdout=subprocess.DEVNULL,
    )
    try:
        with Redis(port=port, password=password, socket_timeout=5, socket_connect_timeout=2) as client:
            until(lambda: _answers(client), "it did not start")
            configured = client.config_get("maxmemory*", "append*", "save")
            assert configured["maxmemory"] == str(64 * 2**20)
            assert configured["maxmemory-policy"] == "noeviction"
            assert configured["appendonly"] == "yes"
            assert configured["save"] == ""
        with Redis(port=port, socket_timeout=5) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        # The process that was started is the server itself: what compose signals is what ends.
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert seen.startswith(b"redis-server")
        assert password.encode() not in seen
    finally:
        process.terminate()
        assert process.wait(20) == 0


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except LostConnection:
        return False


def test_redis_has_room_for_the_log_at_its_bound() -> None:
    """Guards against a log that Redis has to refuse: at its hard bound, with entries of a kilobyte, there is room."""
    settings = services(GIVEN)["api"]["environment"]
    [limit] = re.findall(r"--maxmemory (\d+)mb", services()["redis"]["command"][2])
    entry_bytes = 1100
    assert int(settings["LOG_HARD_CAPACITY"]) * entry_bytes < 0.75 * int(limit) * 2**20
    assert int(limit) < 0.75 * memory_mib(services(GIVEN)["redis"])


def test_postgres_reads_its_options(postgres: PostgresServer) -> None:
    """Guards PostgreSQL's own line, on a real one: it knows each option, and has connections for all that the
    page proposes.
    """
    service = services(GIVEN)["postgres"]
    [program, *options] = service["command"]
    given = dict(option.removeprefix("--").split("=") for option in options)
    account = "postgres" if os.geteuid() == 0 else None
    for name in given:
        said = subprocess.run(
            [programs() / program, *options, "-D", postgres.folder / "data", "-C", name],
            cwd=postgres.folder, user=account, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        assert re.fullmatch(r"\d+", said.stdout.strip())  # in its own units
    page = (ROOT / "docs" / "deployment.md").read_text()
    proposed = dict.fromkeys(HAVE_A_DATABASE, 1) | {"api": int(*re.findall(r"`API_WORKERS=(\d+)`", page))}
    proposed |= {name: int(count) for name, count in re.findall(r"--scale (\w+)=(\d+)(?= --scale|`)", page)}
    of_a_process = inspect.signature(Database).parameters["pool_size"].default + ITS_LOCK
    assert int(given["max_connections"]) - KEPT_FOR_SUPERUSERS >= sum(proposed.values()) * of_a_process
    # A connection is a process.
    assert service["deploy"]["resources"]["limits"]["pids"] >= int(given["max_connections"]) + ITS_OWN_PROCESSES


def test_names_are_filled_in_as_compose_does() -> None:
    """Guards the other tests of this file."""
    text = "${A:-x} ${B:-x} ${C} $$D ${E:?say}"
    assert interpolated(text, {"B": "b", "E": "e"}) == "x b  $D e"
    with pytest.raises(KeyError, match="say"):
        interpolated(text, {})
