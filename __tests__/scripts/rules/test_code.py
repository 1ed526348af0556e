"""Each rule about code must notice its breach and leave good code alone; a silent rule guards nothing."""

from pathlib import PurePosixPath

import pytest

from scripts.rules.code import CODE_RULES
from scripts.rules.source import Source

BAD = [
    ("import-inside", "scripts/x.py", "def f():\n    import json\n    return json"),
    ("import-inside", "__tests__/test_x.py", "async def f():\n    if True:\n        from os import path"),
    ("broad-except", "cryptomarket/live/hub.py", "try:\n    f()\nexcept Exception:\n    pass"),
    ("broad-except", "cryptomarket/live/hub.py", "try:\n    f()\nexcept (ValueError, BaseException):\n    raise"),
    ("broad-except", "cryptomarket/live/hub.py", "try:\n    f()\nexcept:\n    raise"),
    ("broad-except", "cryptomarket/live/hub.py", "with contextlib.suppress(Exception):\n    f()"),
    ("naive-datetime", "cryptomarket/live/hub.py", "datetime.utcnow()"),
    ("naive-datetime", "scripts/x.py", "datetime.datetime.now()"),
    ("naive-datetime", "scripts/x.py", "datetime.fromtimestamp(seconds)"),
    ("float-price", "cryptomarket/deribit/mapping.py", "float(frame.mark_price)"),
    ("float-price", "cryptomarket/deribit/mapping.py", "float(frame['price'])"),
    ("float-price", "cryptomarket/market/ticks.py", "class T:\n    index_price: float | None"),
    ("float-price", "cryptomarket/market/ticks.py", "def f(price: float) -> None: ..."),
    ("float-price", "cryptomarket/market/ticks.py", "def last_price() -> float: ..."),
    ("stray-sql", "cryptomarket/live/hub.py", "from sqlalchemy import select"),
    ("stray-sql", "cryptomarket/live/hub.py", "from sqlalchemy.dialects.postgresql import insert"),
    ("stray-sql", "cryptomarket/live/hub.py", "import sqlalchemy as sa\nsa.text('x')"),
    ("stray-sql", "cryptomarket/live/hub.py", "connection.execute('SELECT 1')"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "asyncio.Queue()"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "asyncio.Queue[int](maxsize=0)"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "queue.SimpleQueue()"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "deque(items)"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "class A:\n    waiting: deque[int] = field(default_factory=deque)"),
    ("unbounded-queue", "cryptomarket/live/hub.py", "deque()  # bound:"),
    ("sleep", "__tests__/live/test_hub.py", "asyncio.sleep(1)"),
    ("sleep", "__tests__/live/test_hub.py", "time.sleep(0.1)"),
    ("sleep", "__tests__/live/test_hub.py", "from time import sleep"),
    ("skipped-test", "__tests__/live/test_hub.py", "pytest.skip('later')"),
    ("skipped-test", "__tests__/live/test_hub.py", "@pytest.mark.skipif(True, reason='x')\ndef test(): ..."),
    ("skipped-test", "__tests__/live/test_hub.py", "redis = pytest.importorskip('redis')"),
    ("language", "cryptomarket/market/ticks.py", "import msgspec"),
    ("language", "cryptomarket/market/ticks.py", "from pydantic import BaseModel"),
    ("language", "cryptomarket/errors.py", "from cryptomarket.telemetry import log"),
    ("language", "cryptomarket/market/wire.py", "from cryptomarket import telemetry"),
    ("apart", "cryptomarket/simulator/exchange.py", "from cryptomarket.deribit.messages import Request"),
    ("apart", "cryptomarket/simulator/exchange.py", "from cryptomarket.secret import Secret"),
    ("apart", "cryptomarket/client/stream.py", "from cryptomarket import telemetry"),
    ("nameless-route", "cryptomarket/live/routes.py", "@router.get('/x')\nasync def x(): ..."),
    ("nameless-route", "cryptomarket/live/routes.py", "@router.put('/x', operation_id='readX')\nasync def x(): ..."),
    ("nameless-route", "cryptomarket/live/routes.py", "@router.put('/x', operation_id=NAME)\nasync def x(): ..."),
    ("nameless-route", "cryptomarket/app.py", "app.add_api_route('/x', x, include_in_schema=True)"),
]

GOOD = [
    ("scripts/x.py", "import json\n\ndef f():\n    return json"),
    ("cryptomarket/client/stream.py", "from cryptomarket import errors\nfrom cryptomarket.secret import Secret"),
    ("cryptomarket/live/hub.py", "try:\n    f()\nexcept (ValueError, OSError):\n    raise"),
    ("cryptomarket/live/hub.py", "with contextlib.suppress(TimeoutError):\n    f()"),
    ("cryptomarket/app.py", "try:\n    f()\nexcept Exception:\n    raise"),
    ("cryptomarket/live/hub.py", "datetime.now(UTC)\ndatetime.fromtimestamp(seconds, tz=UTC)"),
    ("cryptomarket/market/ticks.py", "class T:\n    price: Decimal | None\n    price_age_s: float"),
    ("cryptomarket/deribit/mapping.py", "float(delay)"),
    ("cryptomarket/simulator/prices.py", "def price() -> float: ..."),
    ("cryptomarket/history/repository.py", "from sqlalchemy import select\nconnection.execute('SELECT 1')"),
    ("cryptomarket/history/writer.py", "from sqlalchemy import insert"),
    ("cryptomarket/live/hub.py", "from sqlalchemy.ext.asyncio import AsyncEngine\nredis.execute('GET')"),
    (
        "cryptomarket/live/hub.py",
        "asyncio.Queue(maxsize=limit)\nasyncio.Queue[int](7)\ndeque((), 5)\ndeque(maxlen=limit)",
    ),
    ("cryptomarket/live/hub.py", "deque()  # bound: one entry per ticker, dropped with it"),
    ("cryptomarket/live/hub.py", "# bound: one entry per ticker, dropped with it\ndeque()"),
    ("__tests__/live/test_hub.py", "asyncio.sleep(0.2)  # sleep: the stall itself is what is tested"),
    ("__tests__/live/test_hub.py", "@pytest.mark.parametrize('x', [1])\ndef test(x): ..."),
    ("cryptomarket/live/hub.py", "asyncio.sleep(1)"),
    ("cryptomarket/market/wire.py", "import msgspec\nfrom decimal import Decimal"),
    (
        "cryptomarket/market/ticks.py",
        "from cryptomarket import errors\nfrom cryptomarket.market.position import Position",
    ),
    ("cryptomarket/simulator/server.py", "import uvicorn\nfrom cryptomarket.market import wire"),
    ("cryptomarket/simulator/server.py", "from cryptomarket.simulator.prices import Market"),
    ("cryptomarket/live/routes.py", "@router.get('/x', operation_id='read_x2')\nasync def x(): ..."),
    ("cryptomarket/app.py", "app.add_api_route('/docs', page, include_in_schema=False)"),
    ("cryptomarket/live/hub.py", "self.cache.get('x')\nconfig.router_table.get('x')"),
    ("__tests__/test_app.py", "app.add_api_route('/x', x)"),
]


def broken(path: str, text: str) -> set[str]:
    source = Source(PurePosixPath(path), text)
    return {finding.rule for rule in CODE_RULES for finding in rule(source)}


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_breach_is_noticed_by_its_rule_alone(rule: str, path: str, text: str) -> None:
    """Guards against a rule that no longer sees what it was written for."""
    assert broken(path, text) == {rule}


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_good_code_is_left_alone(path: str, text: str) -> None:
    """Guards against a rule that cries so often that people stop listening."""
    assert broken(path, text) == set()


def test_a_door_opens_once() -> None:
    """Guards the sentence that each of the three doors has one broad except."""
    twice = "try:\n    f()\nexcept Exception:\n    raise\n" * 2
    findings = [finding for rule in CODE_RULES for finding in rule(Source(PurePosixPath("cryptomarket/app.py"), twice))]
    assert [(finding.rule, finding.line) for finding in findings] == [("broad-except", 7)]
