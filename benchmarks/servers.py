"""The servers under a deployment of several processes: a Redis and a PostgreSQL of their own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import OTHER_CORE, Program, free_port, program, wait_for_port, wait_until

OWNER = "owner"
# What docker-compose.yml gives them, but for the disk: what is measured is the processor, and not this machine's disk.
_REDIS = ("--maxmemory", "1gb", "--maxmemory-policy", "noeviction", "--appendonly", "no", "--save", "")
_POSTGRES = ("fsync=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=60", "max_wal_size=2GB")
_START_S = 60.0


@dataclass(frozen=True)
class Redis:
    """A redis-server that runs."""

    program: Program
    port: int


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL that runs. It trusts whoever comes, from this machine alone."""

    program: Program
    port: int
    programs: Path

    def count(self, database: str, table: str) -> int:
        """How many rows a table has. Raises CalledProcessError."""
        words = [str(self.programs / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-XqAt"]
        asked = [*words, "-d", database, "-c", f"SELECT count(*) FROM {table}"]  # noqa: S608  the names are our own
        return int(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout)


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """An empty Redis until the block ends."""
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *_REDIS]
    with program(words, folder / "redis.log", core=OTHER_CORE) as running:
        wait_for_port(port)
        yield Redis(running, port)


def server_programs() -> Path:
    """The folder of PostgreSQL's server programs, which Debian keeps out of PATH. Raises FileNotFoundError."""
    beside = shutil.which("initdb")
    if beside is not None:
        return Path(beside).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed; scripts/install_system_packages.sh does it")
    return found[-1]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """An empty PostgreSQL until the block ends."""
    programs, port = server_programs(), free_port()
    # The server refuses to run as root, and another user may look into no other folder of ours.
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        user = (account.pw_uid, account.pw_gid) if account is not None else None
        data = folder / "data"
        words = [str(programs / "initdb"), "--no-sync", "--username", OWNER, "--pgdata", str(data), "--auth", "trust"]
        words += ["--encoding", "UTF8", "--locale", "C"]
        with program(words, folder / "initdb.log", core=OTHER_CORE, user=user) as initialising:
            if initialising.process.wait(_START_S) != 0:
                raise RuntimeError(initialising.log.read_text())
        options = [*_POSTGRES, "listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
        words = [str(programs / "postgres"), "-D", str(data), *(part for one in options for part in ("-c", one))]
        with program(words, folder / "postgres.log", core=OTHER_CORE, user=user, ends_with=signal.SIGINT) as running:
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL is ready")
            yield Postgres(running, port, programs)
