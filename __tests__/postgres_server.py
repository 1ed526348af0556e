"""A real PostgreSQL of its own, in a temporary folder, for tests alone."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

START_S = 30.0
SUPERUSER = "owner"
PASSWORD = "postgres-password-of-tests"
TESTING = "_testing"
# Nothing here outlives the machine, so nothing is worth waiting for a disk. What was committed outlives the server.
CARELESS = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60")


def testing_database(name: str) -> str:
    """The name, when it is a testing database's. The suite makes, fills and drops databases: never any other."""
    if not name.endswith(TESTING):
        raise RuntimeError(f"The test suite runs against testing databases alone, and {name!r} is none.")
    return name


def programs() -> Path:
    """The folder of PostgreSQL's server programs, which Debian keeps out of PATH."""
    beside = shutil.which("initdb")
    if beside is not None:
        return Path(beside).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    assert found, "PostgreSQL is not installed; scripts/install_system_packages.sh does it"
    return found[-1]


class PostgresServer:
    """One cluster on a free port and on a socket. TCP asks for the password, the socket doesn't."""

    def __init__(self) -> None:
        self._programs = programs()
        # A socket's path is short (108 bytes on Linux), so it isn't in the tests' own long folders.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres"))
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        # The server refuses to run as root.
        self._account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._initialise()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]

    def _started(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        user, group, others = None, None, None
        if self._account is not None:
            user, group, others = self._account.pw_uid, self._account.pw_gid, list[int]()
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / program), *arguments],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=group,
                extra_groups=others,
            )

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initialised = self._started(
            *("initdb", "--no-sync", "--username", SUPERUSER, "--pwfile", str(password), "--pgdata", str(self._data)),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        )
        assert initialised.wait(60) == 0, self.log

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it, and returns when it takes connections."""
        said = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.folder)}
        options = [f"{name}={value}" for name, value in said.items()]
        deadline_s = time.monotonic() + START_S
        while True:
            self._process = self._started(
                "postgres", "-D", str(self._data), *(part for each in (*options, *CARELESS) for part in ("-c", each))
            )
            while self._process.poll() is None:
                if self._answers():
                    return
                assert time.monotonic() < deadline_s, self.log
                time.sleep(0.02)  # sleep: a server that does not listen yet tells nobody when it does
            # The processes of one that was killed may still be about to notice it.
            assert time.monotonic() < deadline_s, self.log
            time.sleep(0.1)  # sleep: they are nobody's children any more, so nobody can wait for them

    def _answers(self) -> bool:
        return self._started("pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port)).wait(10) == 0

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """Ends it: without waiting for clients, and with SIGKILL without any care at all."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Lets every process of the server stand still where it is."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets them go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        own = self._process.pid
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                if own in (parent, int(status.parent.name)):
                    os.kill(int(status.parent.name), number)

    def psql(self, database: str) -> list[str]:
        """The command that reads statements, and prints nothing but answers."""
        command = [str(self._programs / "psql"), "-h", str(self.folder), "-p", str(self.port), "-U", SUPERUSER]
        return [*command, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql answers to a statement."""
        done = subprocess.run(
            [*self.psql(database), "-c", statement],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def dump(self, database: str) -> str:
        """Everything that a database holds, as statements."""
        command = [str(self._programs / "pg_dump"), "-h", str(self.folder), "-p", str(self.port), "-U", SUPERUSER]
        done = subprocess.run([*command, database], capture_output=True, text=True, check=True, timeout=60)
        # Each dump has a key of its own, against statements in the data that would pose as psql's commands.
        return "".join(
            line for line in done.stdout.splitlines(True) if not line.startswith(("\\restrict", "\\unrestrict"))
        )

    def url(self, database: str, *, user: str = SUPERUSER, password: str = PASSWORD) -> str:
        """The address of a testing database, by TCP."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{testing_database(database)}"

    def new_name(self) -> str:
        """The name of a testing database that does not exist."""
        return f"d{secrets.token_hex(6)}{TESTING}"

    def new_database(self, template: str = "template0") -> str:
        """The name of a new testing database, a copy of the template."""
        name = self.new_name()
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, database: str) -> None:
        """Drops a testing database, whoever is in it."""
        self.sql(f"DROP DATABASE IF EXISTS {testing_database(database)} WITH (FORCE)")

    def close(self) -> None:
        """Ends it, and removes everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
