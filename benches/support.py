"""What the benchmarks share: nginx, a measured process, a new database, soundwatch with a configuration."""

import contextlib
import os
import pathlib
import secrets
import socket
import sqlite3
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"


def binary(given=None):
    """The soundwatch to measure: the one given, or the newest optimized one."""
    built = [pathlib.Path(given)] if given else [ROOT / "target" / p / "soundwatch" for p in ("dist", "release")]
    there = [path for path in built if path.is_file()]
    if not there:
        sys.exit(f"no soundwatch at {' or '.join(map(str, built))}: cargo build --profile dist")
    return max(there, key=lambda path: path.stat().st_mtime)


@contextlib.contextmanager
def nginx(directory, http):
    """nginx on a free loopback port, whose `http` block is `http` with PORT filled in. Gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = directory / "nginx.conf"
    # As root its workers would be another user, who may not read our files.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(f"""
        {user} daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx-error.log;
        events {{ worker_connections 512; }}
        http {{
            client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
            tcp_nodelay on; keepalive_requests 1000000;
            {http.replace("PORT", str(port))}
        }}""")
    server = subprocess.Popen(["nginx", "-e", directory / "nginx-error.log", "-c", configuration])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if server.poll() is not None:
                sys.exit((directory / "nginx-error.log").read_text())
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


class Usage:
    """What a finished process took. Its memory reads at least as much as this driver's own, some 15 MB."""

    def __init__(self, wall, status, used, output):
        self.wall = wall
        self.code = os.waitstatus_to_exitcode(status)
        self.cpu = used.ru_utime + used.ru_stime
        self.megabytes = used.ru_maxrss / 1024
        self.output = output


def measured(command, environment=None):
    """Runs a command to its end; what it prints goes to a file, so that no pipe holds it up."""
    log = WORK / "output.log"
    with open(log, "wb") as output:
        start = time.monotonic()
        child = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    return Usage(wall, status, used, log.read_text(errors="replace"))


# The tables of the index: they grow with the days of a sound, not with its answers.
INDEX = "('trend_index', 'index_state', 'index_due', 'index_lags')"


class Sqlite:
    name = "SQLite"

    def __init__(self, directory):
        self.path = directory / "soundwatch.db"
        self.url = f"sqlite:{self.path}"

    def scalars(self, sql):
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return list(connection.execute(sql).fetchone())

    def execute(self, sql):
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(sql)

    def index_size(self):
        return self.scalars(f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN {INDEX}")[0]

    def size(self):
        self.scalars("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.path.stat().st_size

    def drop(self):
        pass


class Postgres:
    name = "Postgres"

    def __init__(self, _directory):
        self.server = os.environ["SOUNDWATCH_TEST_POSTGRES"]
        self.database = f"bench_{secrets.token_hex(4)}"
        self.url = self.server.rsplit("/", 1)[0] + "/" + self.database
        self.psql(self.server, f"CREATE DATABASE {self.database}")

    @staticmethod
    def psql(url, sql):
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", url]
        return subprocess.run(command, input=sql, check=True, capture_output=True, text=True).stdout

    def scalars(self, sql):
        return [float(value) for value in self.psql(self.url, sql).strip().split("|")]

    def execute(self, sql):
        self.psql(self.url, sql)

    def index_size(self):
        return int(self.scalars(f"SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class WHERE relkind = 'r' AND relname IN {INDEX}")[0])

    def size(self):
        return int(self.psql(self.url, "SELECT pg_database_size(current_database())"))

    def drop(self):
        self.psql(self.server, f"DROP DATABASE {self.database} WITH (FORCE)")


DATABASES = {"sqlite": Sqlite, "postgres": Postgres}
KEY = {"SOUNDWATCH__API__KEY": "sk_live_bench"}


def write_configuration(directory, base_url, database, clip_ids, *, per_second=100_000, in_flight=32, regions=("US",)):
    """A configuration and watchlist for these sounds; gives the path of the former."""
    (directory / "watchlist.toml").write_text(
        f'[defaults]\nregions = {list(regions)}\nperiod = 7\nschedule = "15 6 * * *"\n'
        + "".join(f'\n[[sounds]]\nclip = "{clip_id}"\n' for clip_id in clip_ids)
    )
    path = directory / "config.toml"
    path.write_text(
        f"""
[api]
base_url = "{base_url}"
requests_per_second = {per_second}
max_in_flight = {in_flight}
[budget]
daily_credits = 100000000
monthly_credits = 100000000
[database]
url = "{database.url}"
[watchlist]
path = "watchlist.toml"
[state]
dir = "state"
"""
    )
    return path
