"""Which settings a role can't work with: one sentence each, that says what to set."""

import pytest

from cryptomarket.errors import StartRefused
from cryptomarket.roles.role import Role, check_role
from cryptomarket.settings import Settings

SHARED: dict[str, object] = {
    "exchange": "simulator",
    "redis_url": "redis://127.0.0.1:6379/0",
    "debug": False,
    "seal_secret": "a seal secret of a test, long enough",
    "token_key": "a token key of a test, long enough for HS256",
}


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"project_mode": "testing", **SHARED, **changes})


@pytest.mark.parametrize("role", Role)
def test_a_role_with_everything_that_is_shared_can_work(role: Role) -> None:
    """Promise: the deployment of the documents is not refused."""
    check_role(settings(), role)


def test_a_whole_gateway_needs_nothing_that_is_shared() -> None:
    """Promise: one process on one machine needs neither Redis nor PostgreSQL nor keys."""
    check_role(Settings.model_validate({"project_mode": "testing"}), Role.ALL)


@pytest.mark.parametrize(
    ("changes", "role", "workers", "sentence"),
    [
        ({"redis_url": ""}, Role.API, 4, "4 API workers need a shared backplane; set REDIS_URL."),
        ({"redis_url": ""}, Role.INGEST, 1, "The role ingest needs a shared backplane; set REDIS_URL."),
        ({"debug": True}, Role.WRITE, 1, "The role write needs a database that processes can share; set DEBUG=False"),
        ({"seal_secret": ""}, Role.INGEST, 1, "The role ingest needs the SEAL_SECRET"),
        ({"token_key": ""}, Role.API, 1, "The role api needs the TOKEN_KEY"),
        ({"app_port": 0}, Role.API, 2, "2 API workers need one port that they share; set APP_PORT."),
        ({}, Role.INGEST, 2, "--workers is for the role api; of ingest there is one in a process."),
        ({}, Role.API, 0, "--workers must be 1 or more."),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(
    changes: dict[str, object], role: Role, workers: int, sentence: str
) -> None:
    """Promise: settings that can't work are refused at start, and the sentence says what to set."""
    with pytest.raises(StartRefused) as refused:
        check_role(settings(**changes), role, workers)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("role", [Role.API, Role.INGEST, Role.WRITE])
def test_which_exchange_it_is_was_said(role: Role) -> None:
    """Promise: nobody deploys the simulator for having forgotten to say which exchange he means."""
    unsaid = {name: value for name, value in SHARED.items() if name != "exchange"}
    with pytest.raises(StartRefused, match="an EXCHANGE that was said; set it to production, test, simulator"):
        check_role(Settings.model_validate({"project_mode": "testing", **unsaid}), role)


def test_who_does_what() -> None:
    """Promise: together, the three parts of a gateway do all that a whole one does, and each thing once."""
    for does in ("serves", "hears", "stores"):
        assert getattr(Role.ALL, does)
        assert sum(getattr(role, does) for role in (Role.API, Role.INGEST, Role.WRITE)) == 1
