"""Settings die at the door with a sentence when they can't be, and `.env.example` tells exactly what there is."""

import re
from pathlib import Path

import pytest

from cryptomarket.errors import StartRefused
from cryptomarket.market.instruments import Exchange
from cryptomarket.settings import Settings, env_example, load_settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_newcomer_sets_nothing() -> None:
    """Promise: without any setting it is the simulator, SQLite, the documented port."""
    settings = load_settings()
    assert settings.exchange is Exchange.SIMULATOR
    assert settings.debug
    assert (settings.app_host, settings.app_port, settings.simulator_port) == ("127.0.0.1", 8003, 8004)
    assert settings.always_tickers == ("btc_usd", "eth_usd")
    assert settings.pool_size == 10


def test_each_exchange_and_mode_has_its_own_store() -> None:
    """Promise: simulated prices never share a store with real ones, and tests never one with anybody."""
    every = [
        Settings(exchange=exchange, project_mode=mode)
        for exchange in Exchange
        for mode in ("testing", "development", "production")
    ]
    assert len({settings.database_path for settings in every}) == 9
    assert len({settings.database_name for settings in every}) == 9
    assert every[0].database_name == "cryptomarket_production_testing"
    assert Settings(postgres_db="prices").database_name == "prices"


def test_what_is_for_tests_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: PROJECT_MODE=testing never meets a database that is not a testing one."""
    monkeypatch.setenv("PROJECT_MODE", "testing")
    monkeypatch.setenv("POSTGRES_DB", "prices")
    with pytest.raises(StartRefused, match="'testing' in its name"):
        load_settings()
    monkeypatch.setenv("POSTGRES_DB", "prices_testing")
    assert load_settings().database_name == "prices_testing"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEBUG", "perhaps", "DEBUG is True or False."),
        ("REDIS_READ_REPLICAS", "perhaps", "REDIS_READ_REPLICAS is True or False."),
        ("POSTGRES_PORT", "0", "POSTGRES_PORT"),
        ("POSTGRES_DB", "x" * 64, "POSTGRES_DB"),
        ("EXCHANGE", "binance", "EXCHANGE"),
        ("APP_PORT", "99999", "APP_PORT"),
        ("APP_PORT", "eighty", "APP_PORT"),
        ("ALWAYS_TICKERS", "btc usd,eth_usd", "'btc usd' is not the name of a ticker"),
        ("COLLECTED_INDICES", "btc_usd,BTC-PERPETUAL", "'BTC-PERPETUAL' is not the name of an index"),
        ("BEAT_DEAD_S", "0.5", "BEAT_DEAD_S"),
        ("CHECK_HEALTH_S", "0.5", "CHECK_HEALTH_S: a period is 1 s or more, or 0, which is never"),
        ("POOL_SIZE", "2", "POOL_SIZE"),
        ("LOGIN_SLOTS", "10", "POOL_SIZE must be larger than LOGIN_SLOTS"),
        ("PROJECT_MODE", "staging", "PROJECT_MODE"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("TRUSTED_PROXIES", "*", "'*' is no address, nor a network such as"),
        ("TRUSTED_PROXIES", "127.0.0.1,nginx", "'nginx' is no address"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "is everybody"),
        ("TRUSTED_PROXIES", "::/0", "is everybody"),
        ("TRUSTED_PROXIES", "172.30.90.1/24", "is no address, nor a network"),
        ("TOKEN_KEY", "short", "TOKEN_KEY is shorter than the 32 bytes"),
        ("LOG_HARD_CAPACITY", "100", "LOG_HARD_CAPACITY must not be smaller"),
        ("EXPORTS_AT_ONCE", "3", "EXPORTS_PER_USER must not be larger than EXPORTS_AT_ONCE"),
        ("EXPORTS_AT_ONCE", "0", "EXPORTS_AT_ONCE"),
        ("EXPORTS_PER_USER", "0", "EXPORTS_PER_USER"),
        ("EXPORT_STALL_S", "0", "EXPORT_STALL_S"),
        ("JOB_DEAD_S", "135", "JOB_DEAD_S must be more than 5 s larger than JOB_LIMIT_S and JOB_GRACE_S"),
        ("JOB_GRACE_S", "0.9", "JOB_GRACE_S"),
        ("DERIBIT_CLIENT_ID", "alone", "DERIBIT_CLIENT_ID and DERIBIT_CLIENT_SECRET"),
        ("SESSION_HEARTBEAT_S", "5", "SESSION_HEARTBEAT_S"),
        ("SEAL_SECRET", "x", "SEAL_SECRET is shorter than 32 bytes"),
        ("KEEP_ALIVE_S", "inf", "KEEP_ALIVE_S: Input should be a finite number"),
        ("REDIS_HOST", "10.0.0.1:6380", "that is REDIS_PORT"),
        ("REDIS_HOST", "one,two", "set REDIS_MASTER_NAME"),
        ("REDIS_MASTER_NAME", "main", "at REDIS_HOST"),
        ("REDIS_PORT", "0", "REDIS_PORT"),
        ("JOB_AGAIN_S", "6", "JOB_AGAIN_S"),
        ("DEMAND_LINGER_S", "inf", "DEMAND_LINGER_S: Input should be a finite number"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """Promise: a value that can't work never starts anything, and the sentence names it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(StartRefused) as refused:
        load_settings()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, ""),
        ({"REDIS_PASSWORD": "word"}, ""),
        ({"REDIS_PORT": "7", "REDIS_DB": "3"}, ""),
        ({"REDIS_HOST": "10.0.0.1"}, "redis://10.0.0.1:6379/0"),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "7", "REDIS_DB": "3"}, "redis://[::1]:7/3"),
        ({"REDIS_HOST": "cache", "REDIS_PASSWORD": "a/@:b"}, "redis://:a%2F%40%3Ab@cache:6379/0"),
        (
            {"REDIS_HOST": "one,two", "REDIS_PASSWORD": "word", "REDIS_MASTER_NAME": "the main", "REDIS_DB": "2"},
            "redis+sentinel://:word@one:26379,two:26379/the%20main/2",
        ),
        ({"REDIS_URL": "redis://told/1", "REDIS_HOST": "cache"}, "redis://told/1"),
        ({"REDIS_URL": "redis://:word@told/1", "REDIS_PASSWORD": "word"}, "redis://:word@told/1"),
        ({"REDIS_URL": "unix://:word@/run/s", "REDIS_PASSWORD": "word"}, "unix://:word@/run/s"),
    ],
)
def test_redis_is_named_by_its_url_or_by_its_parts(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], address: str
) -> None:
    """Promise: a URL wins, else the host and what belongs to it are one; a password alone starts nothing."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().redis_address == address


@pytest.mark.parametrize("url", ["redis://told:6379/1", "redis://me@told/1", "redis+sentinel://one,two/main"])
def test_a_password_that_would_not_count_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Promise: nobody looks for a wrong password where the right one is never read."""
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("REDIS_PASSWORD", "word1234")
    with pytest.raises(StartRefused, match="REDIS_PASSWORD counts where there is no REDIS_URL") as refused:
        load_settings()
    assert "word1234" not in str(refused.value)


def test_a_secret_is_in_no_sentence_and_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: secrets are never shown, also when another setting is refused."""
    monkeypatch.setenv("DERIBIT_CLIENT_SECRET", "the-secret-itself")
    monkeypatch.setenv("TOKEN_KEY", "the-token-key-itself, which is long enough")
    with pytest.raises(StartRefused) as refused:
        load_settings()
    assert "itself" not in str(refused.value)
    monkeypatch.setenv("DERIBIT_CLIENT_ID", "id")
    assert "itself" not in repr(load_settings())


def test_the_file_counts_the_environment_wins_and_empty_is_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Promise: `.env` counts; `APP_PORT=9000 make run` wins over it; an empty variable changes nothing."""
    (tmp_path / ".env").write_text("APP_PORT=9001\nALWAYS_TICKERS=btc_usd, BTC-PERPETUAL\nSQLITE_PATH=\n")
    assert load_settings().app_port == 9001
    assert load_settings().always_tickers == ("btc_usd", "BTC-PERPETUAL")
    assert load_settings().sqlite_path is None
    monkeypatch.setenv("APP_PORT", "9000")
    assert load_settings().app_port == 9000
    monkeypatch.setenv("APP_PORT", "")
    assert load_settings().app_port == 9001


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("STREM_FAREWELL_S=1", "'STREM_FAREWELL_S'.*did you mean STREAM_FAREWELL_S?"),
        ("app_prot=9000", "'APP_PROT'.*did you mean APP_PORT?"),
        ("WHATEVER=1", "'WHATEVER'.*example"),
    ],
)
def test_a_name_that_is_no_setting_is_refused_in_the_file(tmp_path: Path, line: str, said: str) -> None:
    """Promise: a slip of the pen in `.env` is told, with the name that was probably meant, and not passed over."""
    (tmp_path / ".env").write_text(f"APP_PORT=9001\n{line}\n")
    with pytest.raises(StartRefused, match=said) as refused:
        load_settings()
    assert "\n" not in str(refused.value)


def test_foreign_names_are_left_to_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Promise: what compose reads may stand in `.env`, and the environment may hold whatever it does."""
    of_compose = re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text())
    of_compose = [name for name in of_compose if name.lower() not in Settings.model_fields]
    assert of_compose
    names = [*of_compose, "COMPOSE_PROJECT_NAME", "POSTGRES_PASSWORD", "HTTPS_PROXY", "TZ"]
    (tmp_path / ".env").write_text("".join(f"{name}=8080\n" for name in names) + "APP_PORT=9001\n")
    monkeypatch.setenv("STREM_FAREWELL_S", "1")
    assert load_settings().app_port == 9001


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    """Promise: a start that can't work is refused with a sentence, not a traceback."""
    (tmp_path / ".env").write_bytes(b"APP_HOST=\xff\xfe\n")
    with pytest.raises(StartRefused, match=r"\.env"):
        load_settings()


def test_the_example_is_generated_from_the_settings() -> None:
    """Promise: `.env.example` is true."""
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_names_every_setting_and_changes_nothing(tmp_path: Path) -> None:
    """Promise: uncommenting all of it gives the defaults."""
    text = env_example()
    lines = [line.removeprefix("# ") for line in text.splitlines() if "=" in line and line[2:3].isupper()]
    settings_lines = [line for line in lines if line.split("=")[0].lower() in Settings.model_fields]
    assert len(settings_lines) == len(Settings.model_fields)
    (tmp_path / ".env").write_text("\n".join(settings_lines))
    assert load_settings() == Settings(_env_file=None)
