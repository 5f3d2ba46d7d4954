"""Proves the API: schemathesis asks a running daemon what the OpenAPI document allows and what it forbids, and holds every
answer against the document. Once for JSON and once for CSV; on SQLite over the demo, on Postgres over the history of the
tests and behind a token. Run by scripts/prove-api.
"""

import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benches"))
import support

TOOL = support.WORK / "api" / "bin" / "schemathesis"
TOKEN = "a-token-for-the-proof-0123"
# There is nothing to ask, and nothing is due: the daemon only answers.
SETTINGS = {
    "SOUNDWATCH__HTTP__LISTEN": "127.0.0.1:0",
    "SOUNDWATCH__API__BASE_URL": "http://127.0.0.1:1",
    "SOUNDWATCH__API__KEY_FILE": "",
    "SOUNDWATCH__API__KEY": "sk_live_simulated",
    "SOUNDWATCH__BUDGET__DAILY_CREDITS": "1",
    "SOUNDWATCH__BUDGET__MONTHLY_CREDITS": "1",
}


def of_the_demo(soundwatch, directory):
    """A configuration over 60 days that were collected from the simulated API, on SQLite."""
    subprocess.run([soundwatch, "demo", "--dir", directory / "demo"], check=True, capture_output=True)
    return directory / "demo" / "config.toml", {}, {}


def of_the_tests(soundwatch, directory):
    """A configuration over the history of the tests, on Postgres and behind a token."""
    database = support.Postgres(directory)
    config = support.write_configuration(directory, "http://127.0.0.1:1", database, ["6703723351497508865"])
    subprocess.run([soundwatch, "--config", config, "db", "migrate"], check=True, capture_output=True)
    database.execute((ROOT / "tests" / "data" / "history.sql").read_text())
    # The history has IDs of its own, which Postgres does not count on from.
    database.execute("SELECT setval(pg_get_serial_sequence('fetches', 'id'), 1000)")
    token = directory / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    settings = {"SOUNDWATCH__HTTP__TOKEN_FILE": str(token)}
    return config, settings, {"Authorization": f"Bearer {TOKEN}"}


@contextlib.contextmanager
def daemon(soundwatch, config, settings):
    """A daemon over a configuration; gives its URL."""
    log = config.parent / "run.log"
    with open(log, "wb") as output:
        environment = {**os.environ, **SETTINGS, **settings}
        process = subprocess.Popen([soundwatch, "--config", config, "run"], env=environment, stderr=output)
    try:
        for _ in range(600):
            told = re.search(r"listening on (http://\S+)", log.read_text())
            if told:
                break
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)
        else:
            sys.exit(f"it does not listen:\n{log.read_text()}")
        yield told[1]
    finally:
        process.terminate()
        process.wait()


def ask(url, document, header, options, more):
    """One run of schemathesis; gives what it counted."""
    command = [TOOL, "--no-color", "run", document, "--url", f"{url}/api/v1", "--checks", "all", "--continue-on-failure"]
    command += ["--seed", str(options.seed), "--max-examples", str(options.examples), "--generation-database", "none"]
    begun = time.monotonic()
    # Its reports would be written to where it is started.
    for name, value in header.items():
        command += ["--header", f"{name}: {value}"]
    run = subprocess.run([*command, *more], capture_output=True, text=True, cwd=support.WORK)
    if run.returncode != 0:
        sys.exit(run.stdout + run.stderr)
    counted = re.search(r"Test cases:\n\s+(.*)", run.stdout)
    return f"{counted[1]}, in {time.monotonic() - begun:.0f} s"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=50, help="for each path at most")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--binary", help="the soundwatch to ask (else the newest of target/dist and release)")
    options = options.parse_args()
    soundwatch = support.binary(options.binary).resolve()
    for name, prepare in [("SQLite", of_the_demo), ("Postgres", of_the_tests)]:
        with tempfile.TemporaryDirectory() as directory:
            config, settings, header = prepare(soundwatch, pathlib.Path(directory))
            with daemon(soundwatch, config, settings) as url:
                document = pathlib.Path(directory) / "openapi.json"
                request = urllib.request.Request(f"{url}/api/v1/openapi.json", headers=header)
                document.write_bytes(urllib.request.urlopen(request).read())
                json_only = ["--exclude-path", "/status", "--exclude-path", "/openapi.json"]
                for kind, accept, more in [("JSON", "*/*", []), ("CSV", "text/csv", json_only)]:
                    asked = ask(url, document, {**header, "Accept": accept}, options, more)
                    print(f"{name}, {kind}: {asked}", flush=True)
    print("all holds")


main()
