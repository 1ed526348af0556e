"""The command line: start the gateway, simulate the exchange, make keys, look at the settings."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
import uvloop

from cryptomarket import __version__
from cryptomarket.accounts.mint import Minted
from cryptomarket.custody import create_key, list_keys, mint_persons, revoke_key
from cryptomarket.db import shown
from cryptomarket.errors import CryptomarketError, StartRefused
from cryptomarket.foundation import check_addresses, database_address, database_url, database_waits
from cryptomarket.job_commands import job_status, list_jobs, read_words, run_job
from cryptomarket.job_commands import told as run_told
from cryptomarket.jobs.runs import RunState
from cryptomarket.key_files import write_privately
from cryptomarket.market.instruments import Exchange
from cryptomarket.relocation import Narrator, copy_database
from cryptomarket.roles.role import Role
from cryptomarket.server import serve_gateway
from cryptomarket.settings import Settings, env_example, load_settings
from cryptomarket.simulator.__main__ import main as simulate_main
from cryptomarket.telemetry import configure_logging
from cryptomarket.terminal.door import Door
from cryptomarket.terminal.output import write_whole
from cryptomarket.workers import serve_workers

Result = TypeVar("Result")

# Pretty tracebacks show the locals of every frame, and some of those are secrets.
app = typer.Typer(
    cls=Door,
    help="A streaming gateway between the Deribit exchange and everyone who wants its prices.",
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys of this gateway.", pretty_exceptions_enable=False)
config_app = typer.Typer(help="The settings.", pretty_exceptions_enable=False)
jobs_app = typer.Typer(help="What is done from time to time, and how it went.", pretty_exceptions_enable=False)
app.add_typer(keys_app, name="keys")
app.add_typer(config_app, name="config")
app.add_typer(jobs_app, name="jobs")
app.command("simulate")(simulate_main)


def _refuse(error: CryptomarketError) -> NoReturn:
    typer.echo(f"cryptomarket: {error}", err=True)
    raise typer.Exit(2)


def _settings() -> Settings:
    try:
        settings = load_settings()
    except StartRefused as refusal:
        _refuse(refusal)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _run(work: Coroutine[object, object, Result]) -> Result:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(work)
        except CryptomarketError as error:
            _refuse(error)


@app.command()
def up() -> None:
    """Start everything in one process; with EXCHANGE=simulator (the default), the simulator beside it."""
    settings = _settings()
    _run(serve_gateway(settings, with_simulator=settings.exchange is Exchange.SIMULATOR))


@app.command()
def serve(
    role: Annotated[str, typer.Option(help="What this process does: all, api, ingest or write.")] = "all",
    workers: Annotated[int, typer.Option(help="How many processes share the port; for the role api.")] = 1,
    shares_port: Annotated[bool, typer.Option("--shares-port", hidden=True)] = False,
) -> None:
    """Start the gateway, or a part of it. The simulator, when it is the exchange, is started by somebody else."""
    try:
        chosen = Role(role)
    except ValueError:
        _refuse(StartRefused(f"There is no role {role!r}; there are {', '.join(Role)}."))
    settings = _settings()
    if workers == 1:
        _run(serve_gateway(settings, with_simulator=False, role=chosen, shares_port=shares_port))
    else:
        _run(serve_workers(settings, chosen, workers))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@config_app.command("check")
def config_check() -> None:
    """Check the settings, and print those that differ from their defaults, secrets starred."""
    settings = _settings()
    try:
        check_addresses(settings)
    except StartRefused as refusal:
        _refuse(refusal)
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value != field.default:
            typer.echo(f"{name.upper()}={value}")
    typer.echo(f"database: {database_address(settings)}")
    typer.echo("The settings can work.")


@config_app.command("env")
def config_env() -> None:
    """Print .env.example: every setting with its meaning and default."""
    write_whole(env_example())


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[str, typer.Option(help="person or operator.")] = "operator",
    user_id: Annotated[str | None, typer.Option(help="Whose key it is; a person's key needs it.")] = None,
) -> None:
    """Make an API key. It is shown once, and stored hashed."""
    typer.echo(_run(create_key(_settings(), name, scope, user_id)))


@keys_app.command("list")
def keys_list() -> None:
    """List the API keys, without the keys themselves."""
    for line in _run(list_keys(_settings())):
        typer.echo(line)


@keys_app.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")]) -> None:
    """End an API key, and the tokens that it was exchanged for."""
    _run(revoke_key(_settings(), key_id))


@jobs_app.command("list")
def jobs_list() -> None:
    """List the jobs: how often each is due, where it waits, and how its newest run went."""
    for line in _run(list_jobs(_settings())):
        typer.echo(line)


@jobs_app.command("run")
def jobs_run(
    name: Annotated[str, typer.Argument(help="The job, as `jobs list` shows it.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What it is told: days=30 dry_run=true.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; status 1 when it did not succeed.")] = False,
) -> None:
    """Start a job in the gateway or worker that runs; prints the run's id. It is begun within a second or two."""
    try:
        given = read_words(arguments or [])
    except CryptomarketError as error:
        _refuse(error)
    run = _run(run_job(_settings(), name, given, wait=wait, tell=lambda line: typer.echo(line, err=True)))
    typer.echo(run_told(run) if wait else run.id)
    if wait and run.state != RunState.SUCCEEDED:
        raise typer.Exit(1)


@jobs_app.command("status")
def jobs_status(
    asked: Annotated[str, typer.Argument(help="A run's id, or a job's name for its newest runs.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many runs of a job.")] = 10,
) -> None:
    """How a run went, or the newest runs of a job."""
    for line in _run(job_status(_settings(), asked, limit=limit)):
        typer.echo(line)


@app.command()
def mint(
    count: Annotated[int, typer.Argument(min=1, max=100_000, help="How many persons.")],
    out: Annotated[Path | None, typer.Option(help="File for `user_id token` lines; standard output otherwise.")] = None,
) -> None:
    """Make persons and tokens straight in a testing database, for load tests. Refused unless PROJECT_MODE=testing."""
    settings = _settings()
    if settings.project_mode != "testing":
        _refuse(StartRefused("mint is for PROJECT_MODE=testing alone."))
    minted: list[Minted] = _run(mint_persons(settings, count))
    text = "".join(f"{person.user_id} {person.access_token}\n" for person in minted)
    if out is None:
        write_whole(text)
    else:
        try:
            write_privately(out, text)
        except StartRefused as refusal:
            _refuse(refusal)


@app.command("copy-database")
def copy_database_command(
    source: Annotated[str | None, typer.Option("--from", help="sqlite:///… ; the SQLite file of the settings.")] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="postgresql://user@host:5432/name ; the PostgreSQL of the settings.")
    ] = None,
) -> None:
    """Copy a SQLite trial to PostgreSQL. Run it again to go on where it broke off, or to take what was added since.

    A password that should not stand on the command line comes from POSTGRES_PASSWORD (without --to) or PGPASSWORD.
    """
    settings = _settings()
    from_url = source or database_url(settings.model_copy(update={"debug": True}))
    to_url = target or database_url(settings.model_copy(update={"debug": False}))
    narrator = Narrator(lambda line: typer.echo(line, err=True))
    told = _run(copy_database(from_url, to_url, tell=narrator, waits=database_waits(settings)))
    for content in told:
        typer.echo(f"{content.table}  {content.rows}  {content.sha256}")
    typer.echo(f"The same rows, to the digit: {shown(from_url)} and {shown(to_url)}")
