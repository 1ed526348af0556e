"""Bringing a store to the newest revision, upgrade only."""

from dataclasses import replace
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from alembic import command
from cryptomarket.db.columns import placed
from cryptomarket.db.database import Database, refuse_another
from cryptomarket.db.engines import Waits
from cryptomarket.db.repository import former_owner, wait_for_other_migrations
from cryptomarket.errors import StartRefused

PROJECT_FOLDER = Path(__file__).resolve().parent.parent.parent


def alembic_config() -> Config:
    """Alembic's configuration of this project. Raises StartRefused when its folder is not where the project is."""
    folder = PROJECT_FOLDER / "alembic"
    if not (folder / "env.py").is_file():
        raise StartRefused("The folder alembic/ is missing: start from a checkout of the project.")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    for revision in _revisions(connection):
        try:
            scripts.get_revision(revision)
        except CommandError as error:
            raise StartRefused(
                f"The database is of revision {revision!r}, which this version does not know: it was written by a "
                f"newer one. Nothing was changed; start that version, or restore an older database."
            ) from error


def _revisions(connection: Connection) -> tuple[str, ...]:
    name, schema = placed("alembic_version", connection.dialect.name)
    context = MigrationContext.configure(connection, opts={"version_table": name, "version_table_schema": schema})
    return context.get_current_heads()


def _refuse_other_revisions(connection: Connection) -> str | None:
    scripts = ScriptDirectory.from_config(alembic_config())
    _refuse_newer(connection, scripts)
    found = _revisions(connection)
    if found != tuple(scripts.get_heads()):
        raise StartRefused(
            f"The database is of revision {', '.join(found) or 'none'}, and this version works with "
            f"{', '.join(scripts.get_heads())}: start this version's gateway on it once."
        )
    return former_owner(connection)


async def checked(database: Database) -> str:
    """The exchange whose store this is. Raises StartRefused when it is none, or of another revision than the newest.

    Nothing is changed.
    """
    async with database.read() as connection:
        owned_by = await connection.run_sync(_refuse_other_revisions)
    if owned_by is None:
        raise StartRefused("The database is empty: no gateway has ever kept anything in it.")
    return owned_by


def _upgrade(connection: Connection, exchange: str | None) -> None:
    config = alembic_config()
    wait_for_other_migrations(connection)
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    owned_by = former_owner(connection)
    if exchange is not None and owned_by is not None:
        refuse_another(exchange, owned_by)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str | URL, *, exchange: str | None = None, waits: Waits | None = None) -> None:
    """Brings the database to the newest revision, upgrade only, in one transaction: all of it or nothing.

    Raises StartRefused for a database of an unknown (newer) revision or, with `exchange` given, another exchange's;
    DatabaseUnavailable when there is none.
    """
    # A revision that moves rows takes as long as it takes.
    database = Database(url, waits=replace(waits or Waits(), answer_s=None))
    try:
        async with database.begin() as connection:
            await connection.run_sync(_upgrade, exchange)
    finally:
        await database.close()
