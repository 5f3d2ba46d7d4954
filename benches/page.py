"""The page of `run`: how long requests take at 10,000 targets and a year of history, and what 200 connections
and 1,000 slow ones cost the collecting and other visitors. Run by scripts/bench-page.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

import support
from history import REGIONS, History, statements

DAY, SLOT = 86_400, 22_500
REQUESTS = 20
VISITORS, SLOW = 200, 1_000


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", help="default: the newest optimized build")
    options.add_argument("--databases", default="sqlite,postgres")
    options.add_argument("--parts", default="times,load,slow")
    options.add_argument("--clips", type=int, default=2_500, help="in four markets")
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--runs", type=int, default=5, help="of the load")
    options = options.parse_args()
    program = support.binary(options.binary)
    folder = support.WORK / f"page-{options.databases}"
    for name in options.databases.split(","):
        if "times" in options.parts:
            with empty(folder, name) as database:
                times(program, folder, database, name, options)
        if "load" in options.parts:
            load(program, folder, name, options.runs)
        if "slow" in options.parts:
            with empty(folder, name) as database:
                slow(program, folder, database, name)


@contextlib.contextmanager
def empty(folder, name):
    """A database of its own, and an empty folder for what belongs to it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = support.DATABASES[name](folder)
    try:
        yield database
    finally:
        database.drop()


def filled(program, folder, database, name, history):
    """A daemon's configuration over a history whose newest slots are those of today."""
    config = support.write_configuration(folder, "http://127.0.0.1:1", database, history.clip_ids(), regions=REGIONS)
    subprocess.run([program, "--config", config, "db", "migrate"], check=True, capture_output=True)
    for statement in statements(name, history):
        database.execute(statement)
    return config


def newest_day():
    """The day of the newest slot that has been due."""
    return int(time.time() - SLOT) // DAY


@contextlib.contextmanager
def daemon(program, config):
    """`run` with its page; gives host and port."""
    log = config.with_name("run.log")
    environment = {**os.environ, **support.KEY, "SOUNDWATCH__HTTP__LISTEN": "127.0.0.1:0"}
    with open(log, "wb") as output:
        process = subprocess.Popen([program, "--config", config, "run"], env=environment, stderr=output)
    try:
        while "ready" not in log.read_text() or "listening on http://" not in log.read_text():
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.02)
        yield log.read_text().split("listening on http://")[1].split()[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def get(address, path):
    """Seconds, status, and the answer's text."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return time.monotonic() - began, answer.status, text


def times(program, folder, database, name, options):
    history = History(options.clips, options.days, (7, 7), newest_day() - options.days + 1)
    began = time.monotonic()
    config = filled(program, folder, database, name, history)
    print(f"\n{database.name}: {history.targets:,} targets, {options.days} days, {database.size() / 1e6:,.0f} MB,"
          f" made in {time.monotonic() - began:.0f} s\n")
    clip = history.clip_ids()[1_234 % options.clips]
    paths = [
        "/", "/?view=charts", "/?page=50", "/?sort=title", "/?sort=state", "/?q=sound+12", "/?region=GB&state=fresh",
        "/?state=stale", "/?tag=none", f"/sounds/{clip}?region=US", "/operations", "/api/v1/sounds",
        f"/api/v1/sounds/{clip}/index", f"/api/v1/sounds/{clip}/countries?region=US", f"/api/v1/sounds/{clip}/fetches",
        "/api/v1/status", "/metrics", "/readyz",
    ]
    with daemon(program, config) as address:
        print(f"| path | first | median of {REQUESTS} | slowest | KB |\n|---|---|---|---|---|")
        for path in paths:
            taken = []
            for _ in range(REQUESTS + 1):
                seconds, status, text = get(address, path)
                if status != 200:
                    sys.exit(f"{path}: {status} {text[:200]}")
                taken.append(seconds * 1000)
            first, *rest = taken
            print(f"| `{path.replace(clip, 'CLIP')}` | {first:.0f} ms | {statistics.median(rest):.0f} ms |"
                  f" {max(rest):.0f} ms | {len(text) / 1000:.0f} |", flush=True)


def load(program, folder, name, runs):
    """The first pass of 2,000 sounds, with and without visitors; alternating."""
    answers = support.WORK / "answers-2000"
    if not (answers / "totals.json").exists():
        maker = pathlib.Path(__file__).resolve().parent / "collect" / "answers.py"
        subprocess.run([sys.executable, maker, answers, "2000"], check=True)
    taken = {True: [], False: []}
    for run in range(runs):
        for visited in (run % 2 == 0, run % 2 == 1):
            with empty(folder, name) as database:
                seconds, served = one_pass(program, folder, database, answers, visited)
            taken[visited].append(seconds)
            with_visitors = f"{VISITORS} connections, {served}" if visited else "nobody"
            print(f"{database.name}: 2,000 answers in {seconds:.2f} s with {with_visitors}", flush=True)
    alone, beside = (statistics.median(taken[visited]) for visited in (False, True))
    print(f"{database.name}: medians {alone:.2f} s alone, {beside:.2f} s visited: {beside / alone - 1:+.0%}")


def one_pass(program, folder, database, answers, visited):
    """From the first request of a pass to its end; and what the visitors got."""
    server = f"""
        log_format when "$msec $arg_clip_id"; access_log {folder}/requests.log when buffer=64k flush=200ms;
        open_file_cache max=10000;
        server {{
            listen 127.0.0.1:PORT;
            location = /v1/tiktok/trending/music/detail {{
                root {answers}; default_type application/json; try_files /$arg_clip_id.json =404;
            }}
        }}"""
    clip_ids = (answers / "clip_ids.txt").read_text().split()
    with support.nginx(folder, server) as url:
        # All sounds but the first come with an edit, when the visitors are there already.
        config = support.write_configuration(folder, url, database, clip_ids)
        watchlist = folder / "watchlist.toml"
        all_sounds = watchlist.read_text()
        support.write_configuration(folder, url, database, clip_ids[:1])
        subprocess.run([program, "--config", config, "db", "migrate"], check=True, capture_output=True)
        with daemon(program, config) as address, visitors(address, visited) as output:
            time.sleep(1)
            watchlist.write_text(all_sounds)
            ended = end_of_pass(folder / "run.log", len(clip_ids) - 1)
            # The log's second line: the first is that of the first sound.
            begun = float((folder / "requests.log").read_text().splitlines()[1].split()[0])
            seconds = ended - begun
            stored = database.scalars("SELECT count(*) FROM fetches WHERE outcome = 'stored'")[0]
            if stored != len(clip_ids):
                sys.exit(f"{stored} of {len(clip_ids)} stored")
    served = [line.strip() for line in output.read_text().splitlines() if "requests in" in line] if visited else []
    return seconds, " ".join(served)


@contextlib.contextmanager
def visitors(address, visited):
    """Connections that ask for the pages as fast as they get them, with what the collecting leaves of a core."""
    output = support.WORK / "wrk.log"
    if not visited:
        yield output
        return
    command = ["nice", "-n", "19", "wrk", "-t", "1", "-c", str(VISITORS), "-d", "600s", f"http://{address}/"]
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield output
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def end_of_pass(log, sounds):
    """When the pass of so many sounds ended, by the stamp of its line in the log."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ended = [line for line in log.read_text().splitlines() if f"stored {sounds}" in line]
        if ended:
            time.sleep(0.5)  # nginx writes its log a little later
            return stamp(ended[0])
        time.sleep(0.05)
    sys.exit(log.read_text())


def stamp(line):
    return datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


def slow(program, folder, database, name):
    """Connections that send a letter a second, and what others see of them."""
    history = History(25, 30, (7, 7), newest_day() - 29)
    config = filled(program, folder, database, name, history)
    with daemon(program, config) as address, contextlib.ExitStack() as stack:
        alone = [get(address, "/")[0] * 1000 for _ in range(REQUESTS)]
        host, port = address.split(":")
        beside, refused = [], 0
        sockets = []
        for n in range(SLOW):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
                connection.send(b"G" if n % 2 else b"GET / HTTP/1.1\r\nHost: " + address.encode() + b"\r\nX: ")
                sockets.append(connection)
        for _ in range(REQUESTS):
            for connection in sockets:
                with contextlib.suppress(OSError):
                    connection.send(b"E")
            try:
                seconds, status, _ = get(address, "/")
                beside.append(seconds * 1000)
                refused += status != 200
            except OSError:
                refused += 1
        memory = json.dumps(rss(config))
        print(f"{database.name}: `/` in {statistics.median(alone):.0f} ms alone, {statistics.median(beside):.0f} ms"
              f" (slowest {max(beside):.0f}) beside {len(sockets)} slow connections; {refused} of {REQUESTS} refused;"
              f" {memory} MB")


def rss(config):
    """Resident megabytes of the daemon with this configuration."""
    found = subprocess.run(["pgrep", "-f", f"{config} run"], capture_output=True, text=True, check=True).stdout.split()[0]
    status = pathlib.Path(f"/proc/{found}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


main()
