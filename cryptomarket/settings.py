"""Every knob, in one frozen object that is checked as a whole when it is built at the door.

Names are environment variables (or lines of `.env`), without a prefix. `.env.example` is generated from here.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from cryptomarket.accounts.tokens import MIN_KEY_BYTES
from cryptomarket.errors import StartRefused
from cryptomarket.jobs.job import LONGEST_PAUSE_S
from cryptomarket.market.instruments import Exchange
from cryptomarket.setting_values import Flag, Hosts, Indices, Period, Proxies, Seconds, Tickers, WebSocketUrl

REDIS_PORT = 6379
SENTINEL_PORT = 26379

SEAL_SECRET_BYTES = 32
_PASSWORD_OF_REDIS = re.compile(r"//[^/]*:[^/]*@")
DEFAULT_DATA_DIR = Path("data")

# What a `.env` may hold for others who read it: compose, its other services, and the libraries in the container.
_OTHERS = re.compile(
    r"(COMPOSE|DOCKER|PYTHON)_?\w*|HTTPS?_PORT|NGINX_LISTEN|API_(WORKERS|MEMORY)|POSTGRES_MEMORY"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|TZ"
    r"|FLOWER_(USER|PASSWORD)"
)


class Settings(BaseSettings):
    """What the gateway is started with. Values that can't be are refused with a sentence."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    app_host: str = Field("127.0.0.1", description="Address to listen on")
    app_port: int = Field(8003, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    trusted_proxies: Proxies = Field(
        (), description="Whose X-Forwarded-* headers are believed: addresses and networks; none by default"
    )
    debug: Flag = Field(True, description="True keeps everything in SQLite, False in PostgreSQL")
    idle_connection_s: int = Field(
        75, ge=1, description="How long a connection without a request is kept; longer than a proxy before us keeps it"
    )
    head_timeout_s: Seconds = Field(20.0, description="How long the head of a request may take to come")
    workers_backoff_cap_s: Seconds = Field(
        30.0, description="Longest pause before a process of --workers that died is started again"
    )
    workers_grace_s: Seconds = Field(
        10.0, description="How long beyond STREAM_FAREWELL_S such a process may take to end"
    )
    farewell_timeout_s: Seconds = Field(5.0, description="How long a process that ends may write down what only it has")
    project_mode: Literal["testing", "development", "production"] = Field(
        "development", description="testing | development | production"
    )
    exchange: Exchange = Field(Exchange.SIMULATOR, description="production | test | simulator")
    deribit_ws_url: WebSocketUrl = Field(
        "", description="Another address of the exchange's WebSocket; empty: its usual one"
    )
    simulator_port: int = Field(8004, ge=0, le=65535, description="Port of the simulator that `up` starts beside it")
    simulator_seed: int = Field(1, description="The same seed is the same market")
    redis_url: SecretStr = Field(
        SecretStr(""), description="redis://:password@host:6379/0 or redis+sentinel://…; empty: all in this process"
    )
    redis_host: Hosts = Field("", description="Without REDIS_URL: its host, or its Sentinels with commas between")
    redis_port: int | None = Field(None, ge=1, le=65535, description="…its port, or theirs; empty: 6379, or 26379")
    redis_db: int = Field(0, ge=0, description="…the number of its database")
    redis_password: SecretStr = Field(SecretStr(""), description="…its password; alone it starts nothing")
    redis_master_name: str = Field("", description="…what the Sentinels call the primary; empty: no Sentinel")
    redis_replica_url: SecretStr = Field(SecretStr(""), description="Where subscribers read, if not at the primary")
    redis_read_replicas: bool = Field(False, description="With Sentinel: let it name a replica for subscribers to read")
    redis_timeout_s: Seconds = Field(5.0, description="How long an answer of Redis is waited for")
    redis_connect_timeout_s: Seconds = Field(2.0, description="How long a connection to Redis is waited for")
    redis_look_s: Seconds = Field(
        1.0, description="How often a Sentinel is asked whom it names, and by whom nothing is heard is doubted"
    )
    redis_replica_rest_s: Seconds = Field(10.0, description="How long a replica that was behind is left alone")
    database_connect_timeout_s: Seconds = Field(5.0, description="How long a connection to the database is waited for")
    data_dir: Path = Field(DEFAULT_DATA_DIR, description="Where keys and the SQLite database are kept")
    sqlite_path: Path | None = Field(None, description="The SQLite file; empty: DATA_DIR/<exchange>-<mode>.sqlite3")
    sqlite_busy_timeout_s: Seconds = Field(10.0, description="How long a writer waits for another one in SQLite")
    postgres_host: str = Field("127.0.0.1", min_length=1, description="PostgreSQL's address, or its socket's folder")
    postgres_port: int = Field(5432, ge=1, le=65535, description="Its port")
    postgres_db: str = Field(
        "", max_length=63, description="Its database, made at the first start; empty: cryptomarket_<exchange>_<mode>"
    )
    postgres_user: str = Field("postgres", min_length=1, description="Who we are there")
    postgres_password: SecretStr = Field(SecretStr(""), description="His password")
    postgres_timeout_s: Seconds = Field(30.0, description="How long one answer of PostgreSQL is waited for")
    seal_secret: SecretStr = Field(SecretStr(""), description="Seals login secrets; empty: made once into DATA_DIR")
    token_key: SecretStr = Field(SecretStr(""), description="Signs access tokens; empty: made once into DATA_DIR")
    deribit_client_id: str = Field("", description="The gateway's own key at the exchange, optional: opens .raw")
    deribit_client_secret: SecretStr = Field(SecretStr(""), description="The secret of that key")
    always_tickers: Tickers = Field(("btc_usd", "eth_usd"), description="Collected whether or not anybody asks")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG | INFO | WARNING | ERROR"
    )
    log_format: Literal["console", "json"] = Field("console", description="console | json")

    pool_size: int = Field(10, ge=3, le=32, description="Sessions with the exchange; it allows 32 per address")
    login_slots: int = Field(2, ge=1, description="How many of them serve logins and requests")
    session_heartbeat_s: int = Field(10, ge=10, description="Heartbeat asked of the exchange; it allows 10 and more")
    session_backoff_base_s: Seconds = Field(0.5, description="First pause before a session reconnects")
    session_backoff_cap_s: Seconds = Field(30.0, description="Longest pause before a session reconnects")
    request_timeout_s: Seconds = Field(10.0, description="How long an answer of the exchange is waited for")
    slot_lease_s: Seconds = Field(3.0, description="Life of the lease of a slot; it is renewed three times in it")

    pulse_s: Seconds = Field(1.0, description="How often processes tell one another how they are")

    demand_check_s: Seconds = Field(1.0, description="How often wanted is compared with held")
    demand_life_s: Seconds = Field(15.0, description="How long a want counts that nobody renews")
    demand_linger_s: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="How long a channel is kept that nobody wants"
    )
    saved_set_life_s: Seconds = Field(86_400.0, description="How long a saved set counts after its user was seen")
    index_silence_s: Seconds = Field(5.0, description="An index without a tick for so long is stale")
    instrument_silence_s: Seconds = Field(30.0, description="An instrument silent for so long is asked for")
    refused_channel_s: Seconds = Field(60.0, description="How long a channel that the exchange refused is left alone")
    renew_channel_s: Seconds = Field(10.0, description="Shortest pause between two renewals of a stale channel")

    log_capacity: int = Field(100_000, ge=100, description="Publications that a resume can reach back")
    log_hard_capacity: int = Field(1_000_000, ge=100, description="…and at most, when the writer is behind")
    writer_flush_ms: int = Field(200, ge=1, le=250, description="Longest time before what was published is stored")
    writer_dead_s: Seconds = Field(10.0, description="When what a silent writer took is given to another")
    writer_backoff_cap_s: Seconds = Field(5.0, description="Longest pause before a lost database or bus is tried again")
    writer_flush_rows: int = Field(5000, ge=1, description="Rows after which it is stored at once")

    keep_alive_s: Seconds = Field(7.0, description="A stream without events for so long gets keep_alive")
    stream_lifetime_s: Seconds = Field(3600.0, description="Longest life of a stream; drawn between 80 and 100 % of it")
    stream_backlog_bytes: int = Field(1_048_576, ge=1024, description="What waits for a reader before he is slow")
    stream_lag_events: int = Field(
        50_000, ge=100, description="…or how many events he may be behind, however few bytes"
    )
    stream_ring_events: int = Field(20_000, ge=1, description="Last events that a process keeps ready for a resume")
    stream_kernel_bytes: int = Field(
        131_072, ge=4096, description="What the kernel buffers of a stream (SO_SNDBUF); a stalled reader costs so much"
    )
    stream_farewell_s: Seconds = Field(2.0, description="How long a reader who is let go has to read the reason")
    streams_per_user: int = Field(1000, ge=1, description="Open streams of one user")
    streams_per_address: int = Field(2000, ge=1, description="Open streams of one address")
    streams_per_process: int = Field(20_000, ge=1, description="Open streams of one process")
    tickers_per_user: int = Field(200, ge=1, description="Tickers of a saved set, and of one stream")

    exports_at_once: int = Field(8, ge=1, le=100, description="Bulk answers under way in one process")
    exports_per_user: int = Field(4, ge=1, le=100, description="…and of one user there, so that others find places")
    export_stall_s: Seconds = Field(
        30.0, description="How long a bulk answer waits for its reader to take a piece before it is broken off"
    )

    change_patience_s: Seconds = Field(
        5.0, description="How long a change of a saved set may be kept and untold before others tell it"
    )

    token_life_s: int = Field(86_400, ge=1, description="Life of an access token")
    login_timeout_s: Seconds = Field(12.0, description="How long a login may take")
    revocations_reread_s: Seconds = Field(5.0, description="How often what was revoked is read again in any case")
    login_failures: int = Field(5, ge=1, description="Failed logins per client id in the window below, then 429")
    login_failures_per_address: int = Field(20, ge=1, description="The same per address")
    login_window_s: int = Field(300, ge=1, description="The window in which failed logins are counted")
    profile_life_s: Seconds = Field(97_200.0, description="How long a person is cached after use: 27 hours")
    public_prices_per_minute: int = Field(
        120, ge=0, description="Questions of one address to /prices and /api/v1/deribit, without a token; 0: closed"
    )
    collect_index_prices_s: Period = Field(60.0, description="How often prices of indices are asked for; 0: never")
    collected_indices: Indices = Field(("btc_usd", "eth_usd"), description="…which indices")
    collect_tickers_s: Period = Field(45.0, description="How often tickers whose feed is not live are; 0: never")
    refresh_latest_s: Period = Field(50.0, description="How often the bus is given last ticks that it lacks; 0: never")
    flush_persons_s: Period = Field(86_400.0, description="How often persons are written down: at midnight UTC")
    check_health_s: Period = Field(300.0, description="How often a check of all parts is kept; 0: never")
    remove_old_ticks_s: Period = Field(
        3600.0, description="How often old ticks are looked for, where RETENTION_DAYS is set"
    )
    retention_days: int = Field(
        0, ge=0, le=36_500, description="How long ticks are kept, on PostgreSQL by whole months; 0: always"
    )
    make_partitions_s: Period = Field(
        21_600.0, description="How often the months to come are made in PostgreSQL; 0: never"
    )
    finalise_candles_s: Period = Field(300.0, description="How often closed minutes are kept as candles; 0: never")
    check_candles_s: Period = Field(
        3600.0, description="How often closed candles are compared with the exchange's own; 0: never"
    )
    refresh_catalogue_s: Period = Field(3600.0, description="How often the exchange is asked for instruments; 0: never")
    repair_gaps_s: Period = Field(
        600.0, description="How often the exchange is asked for what gaps have hidden; 0: never"
    )
    job_limit_s: float = Field(
        120.0, gt=0, le=120, allow_inf_nan=False, description="No job takes longer; some take less"
    )
    job_grace_s: float = Field(
        10.0,
        ge=1,
        le=60,
        allow_inf_nan=False,
        description="How long a job beyond its limit may take to end, before its process is ended",
    )
    job_parts_timeout_s: Seconds = Field(
        30.0, description="How long what a worker's jobs stand on may take to begin, and to end"
    )
    job_again_s: float = Field(
        5.0,
        gt=0,
        le=LONGEST_PAUSE_S,
        allow_inf_nan=False,
        description="After how long a job whose database or bus was away is tried again",
    )
    job_dead_s: Seconds = Field(300.0, description="When a job whose worker has died is given to another")
    job_runs_kept: int = Field(100, ge=1, le=10_000, description="How many runs of each job are remembered")
    beat_dead_s: Seconds = Field(30.0, ge=3, description="When another beat takes over from one that has died")
    body_limit_bytes: int = Field(65_536, ge=1024, description="Largest body of a request")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.login_slots >= self.pool_size:
            raise ValueError("POOL_SIZE must be larger than LOGIN_SLOTS: the rest carries market data")
        if bool(self.deribit_client_id) != bool(self.deribit_client_secret.get_secret_value()):
            raise ValueError("DERIBIT_CLIENT_ID and DERIBIT_CLIENT_SECRET are given together or not at all")
        if self.project_mode == "testing" and self.postgres_db and "testing" not in self.postgres_db:
            raise ValueError(
                "PROJECT_MODE=testing wants a POSTGRES_DB with 'testing' in its name: tests fill and drop it"
            )
        if 0 < len(self.seal_secret.get_secret_value().encode()) < SEAL_SECRET_BYTES:
            raise ValueError(f"SEAL_SECRET is shorter than {SEAL_SECRET_BYTES} bytes; it would protect nothing")
        if 0 < len(self.token_key.get_secret_value().encode()) < MIN_KEY_BYTES:
            raise ValueError(f"TOKEN_KEY is shorter than the {MIN_KEY_BYTES} bytes that HS256 needs (RFC 7518, 3.2)")
        if url := self.redis_url.get_secret_value():
            if self.redis_password.get_secret_value() and not _PASSWORD_OF_REDIS.search(url):
                raise ValueError(
                    "REDIS_PASSWORD counts where there is no REDIS_URL; write it into REDIS_URL, "
                    "redis://:password@host:6379/0, or name the server by REDIS_HOST"
                )
        else:
            if self.redis_master_name and not self.redis_host:
                raise ValueError("REDIS_MASTER_NAME is what Sentinels at REDIS_HOST call the primary; set both")
            if "," in self.redis_host and not self.redis_master_name:
                raise ValueError(
                    "REDIS_HOST names several Sentinels; set REDIS_MASTER_NAME to what they call the primary"
                )
        if self.job_dead_s <= self.job_limit_s + self.job_grace_s + LONGEST_PAUSE_S:
            raise ValueError(
                f"JOB_DEAD_S must be more than {LONGEST_PAUSE_S:g} s larger than JOB_LIMIT_S and JOB_GRACE_S together: "
                f"a job that waits for its next try, or is being ended by force, is not given to another meanwhile"
            )
        return self

    @model_validator(mode="after")
    def _bounds_fit_together(self) -> Self:
        if self.log_hard_capacity < self.log_capacity:
            raise ValueError("LOG_HARD_CAPACITY must not be smaller than LOG_CAPACITY")
        if self.exports_per_user > self.exports_at_once:
            raise ValueError("EXPORTS_PER_USER must not be larger than EXPORTS_AT_ONCE")
        return self

    @property
    def redis_address(self) -> str:
        """The URL of Redis, as it was given or made of its parts; empty where everything is in this process."""
        given = self.redis_url.get_secret_value()
        if given or not self.redis_host:
            return given
        port = self.redis_port or (SENTINEL_PORT if self.redis_master_name else REDIS_PORT)
        named = (f"[{host}]" if ":" in host else host for host in self.redis_host.split(","))
        hosts = ",".join(f"{host}:{port}" for host in named)
        password = quote(self.redis_password.get_secret_value(), safe="")
        login = f":{password}@" if password else ""
        if self.redis_master_name:
            return f"redis+sentinel://{login}{hosts}/{quote(self.redis_master_name, safe='')}/{self.redis_db}"
        return f"redis://{login}{hosts}/{self.redis_db}"

    @property
    def database_name(self) -> str:
        """The PostgreSQL database: one for each exchange and mode."""
        return self.postgres_db or f"cryptomarket_{self.exchange.value}_{self.project_mode}"

    @property
    def database_path(self) -> Path:
        """The SQLite file: one for each exchange and mode."""
        return self.sqlite_path or self.data_dir / f"{self.exchange.value}-{self.project_mode}.sqlite3"


def load_settings() -> Settings:
    """The settings of this process. Raises StartRefused with a sentence for each value that can't be.

    An empty variable counts as absent. Names that are no settings are refused where they stand in `.env`; the
    environment is full of other people's.
    """
    try:
        _check_names(DotEnvSettingsSource(Settings).env_vars)
        return Settings()
    except UnicodeDecodeError:
        raise StartRefused("The file .env is not UTF-8 text.") from None
    except ValidationError as error:
        raise StartRefused("; ".join(_sentence(part) for part in error.errors(include_url=False))) from None


def _check_names(names: Collection[str]) -> None:
    """Raises StartRefused for names that nobody reads, each with the one that was probably meant."""
    known = [name.upper() for name in Settings.model_fields]
    unknown = [name.upper() for name in names if not _OTHERS.fullmatch(name.upper()) and name.upper() not in known]
    sentences = []
    for name in unknown:
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "all that there are stand in .env.example."
        sentences.append(f"The file .env sets {name[:64]!r}, which is no setting; {hint}")
    if sentences:
        raise StartRefused(" ".join(sentences))


def _sentence(part: Mapping[str, Any]) -> str:
    where = "_".join(str(step) for step in part["loc"]).upper()
    if part["type"] in {"bool_parsing", "bool_type"}:
        return f"{where} is True or False."
    message = str(part["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def env_example() -> str:
    """The text of `.env.example`: every setting with its meaning and its default, commented out."""
    lines = ["# Every setting of cryptomarket. Uncomment what you change; what is not set has the value shown.", ""]
    for name, field in Settings.model_fields.items():
        lines.append(f"# {field.description}")
        lines.append(f"# {name.upper()}={_spelled(field.default)}")
    return "\n".join(lines) + "\n"


def _spelled(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)
