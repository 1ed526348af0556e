from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql

from cryptomarket.db.columns import placed
from cryptomarket.db.dialect import PrefixedSQLite
from cryptomarket.db.tables import store

SQLITE = PrefixedSQLite()
POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def sqlite_text(statement: object) -> str:
    return " ".join(str(statement.compile(dialect=SQLITE)).split())  # type: ignore[attr-defined]


def test_a_table_has_a_prefix_or_a_schema() -> None:
    """SQLite tables are called crypto_…, PostgreSQL tables live in schema crypto; the statement is the same."""
    statement = select(store.c.exchange).where(store.c.id == 1).order_by(store.c.created_ms)
    assert sqlite_text(statement) == (
        "SELECT crypto_store.exchange FROM crypto_store WHERE crypto_store.id = ? ORDER BY crypto_store.created_ms"
    )
    assert "FROM crypto.store WHERE crypto.store.id = " in " ".join(str(statement.compile(dialect=POSTGRESQL)).split())
    assert (placed("store", "sqlite"), placed("store", "postgresql")) == (("crypto_store", None), ("store", "crypto"))


def test_every_kind_of_statement_names_the_table_alike() -> None:
    """Joins, aliases, subqueries, updates and deletes all reach the table with the prefix."""
    older = store.alias("older")
    statements = [
        select(func.count()).select_from(store.join(older, older.c.id == store.c.id)),
        select(store.c.id).where(~select(older.c.id).where(older.c.id > store.c.id).exists()),
        update(store).where(store.c.id == 1).values(exchange="test").returning(store.c.id),
        delete(store).where(store.c.id.in_(select(older.c.id))),
        store.insert().values(id=1),
        select(select(store.c.id).cte("some").c.id),
    ]
    for statement in statements:
        told = sqlite_text(statement)
        assert "crypto_store" in told
        assert "crypto.store" not in told
