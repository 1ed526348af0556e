"""The database behind one door: columns that keep what they are given, and writes for both dialects.

Tables are declared once, in schema `crypto`. PostgreSQL has schemas and uses it; SQLite has none, and its dialect here
writes `crypto_person` wherever a statement names `crypto.person` (docs/decisions/0005-one-name-for-a-table.md).
"""

from cryptomarket.db.columns import (
    GROWS_ONLY,
    PARTITIONED_BY,
    SCHEMA,
    Price,
    UtcDateTime,
    metadata,
    placed,
    row_id,
    word,
)
from cryptomarket.db.copying import Content, Copying, Progress
from cryptomarket.db.database import Database
from cryptomarket.db.engines import Waits, driver_url
from cryptomarket.db.migration import checked, migrate
from cryptomarket.db.months import Month
from cryptomarket.db.opening import opened, server_url, shown, told
from cryptomarket.db.prepared import Prepared
from cryptomarket.db.repository import plan_for_values
from cryptomarket.db.writing import Digits, Piece, Unit, Writing, bound_together, merged

__all__ = [
    "GROWS_ONLY",
    "PARTITIONED_BY",
    "SCHEMA",
    "Content",
    "Copying",
    "Database",
    "Digits",
    "Month",
    "Piece",
    "Prepared",
    "Price",
    "Progress",
    "Unit",
    "UtcDateTime",
    "Waits",
    "Writing",
    "bound_together",
    "checked",
    "driver_url",
    "merged",
    "metadata",
    "migrate",
    "opened",
    "placed",
    "plan_for_values",
    "row_id",
    "server_url",
    "shown",
    "told",
    "word",
]
