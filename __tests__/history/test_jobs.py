from cryptomarket.db import Database, Month
from cryptomarket.history.jobs import make_months
from cryptomarket.history.repository import Repository

NOVEMBER = Month(2026, 11)


async def partitions(database: Database) -> set[str]:
    """The months that have a place of their own."""
    async with database.read() as connection:
        found = await connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'price_tickers_20%'"
        )
        return {name.removeprefix("price_tickers_") for name in found.scalars()}


async def test_the_next_months_have_a_place_before_they_begin(postgres_url: str) -> None:
    """This month and two more, and it is due again at the turn of the month; a second call changes nothing."""
    database = Database(postgres_url)
    for _ in range(2):
        assert await make_months(Repository(database), now_ms=NOVEMBER.start_ms + 5) == NOVEMBER.end_ms
        assert await partitions(database) == {"2026_11", "2026_12", "2027_01"}
    assert await make_months(Repository(database), now_ms=NOVEMBER.end_ms) == NOVEMBER.after(1).end_ms
    assert await partitions(database) == {"2026_11", "2026_12", "2027_01", "2027_02"}
    await database.close()


async def test_a_clock_that_is_wrong_makes_nothing(repository: Repository) -> None:
    """A machine that believes it is 1970 gets no partitions of then, and is asked again."""
    assert await make_months(repository, now_ms=1000) > 1000
    assert await make_months(repository, now_ms=NOVEMBER.start_ms) == NOVEMBER.end_ms
