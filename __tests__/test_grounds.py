"""Servers are looked at before anything is begun: what can't be is one sentence."""

from pathlib import Path

import pytest

from cryptomarket import grounds
from cryptomarket.errors import StartRefused
from cryptomarket.grounds import check_grounds
from cryptomarket.settings import Settings


async def test_what_can_be_begins_with_nothing_but_its_store(tmp_path: Path) -> None:
    """Promise: a look makes the database, as any start does, and holds nothing of it afterwards."""
    settings = Settings(data_dir=tmp_path / "data")
    await check_grounds(settings)
    await check_grounds(settings)
    assert settings.database_path.is_file()


async def test_a_server_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    """Promise: Redis is asked before the database, so that nothing was made where it is away."""
    away = Settings.model_validate({"data_dir": tmp_path / "data", "redis_url": "unix:///nowhere/redis.sock"})
    with pytest.raises(StartRefused, match="Redis cannot be reached"):
        await check_grounds(away)
    assert not (tmp_path / "data").exists()


def test_as_a_command_it_ends_with_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: whoever starts it learns by its exit status what came of it, and whoever looks on by a sentence."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "amqp://127.0.0.1")
    with pytest.raises(SystemExit) as ended:
        grounds.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("cryptomarket: The URL of Redis begins with one of")
