"""Idle: what `run` takes with 100,000 targets of which none is due.

The targets come from a watchlist, as a person's would; that each has been asked for its newest slot is
written into the ledger by SQL. Run by scripts/bench-idle.
"""

import argparse
import datetime
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import support

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def memory(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    return {name: int(facts[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--targets", type=int, default=100_000)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--binary", help="the soundwatch to measure (else the newest of target/dist and release)")
    options = options.parse_args()
    soundwatch = support.binary(options.binary)

    support.WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        database = support.Sqlite(directory)
        clip_ids = [6_703_723_351_497_508_865 + number for number in range(options.targets)]
        # A port that nobody listens on: a request would be counted as failed below.
        configuration = support.write_configuration(directory, "http://127.0.0.1:9", database, clip_ids)
        # Once a year, so that no slot falls into the measurement; the last one was some months ago.
        slot = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=90)
        slot = slot.replace(day=1, hour=6, minute=15, second=0, microsecond=0)
        watchlist = directory / "watchlist.toml"
        watchlist.write_text(watchlist.read_text().replace("15 6 * * *", f"15 6 1 {slot.month} *"))
        program = [soundwatch, "--config", configuration]
        prepare(database, program, int(slot.timestamp()))

        start = time.monotonic()
        with open(support.WORK / "output.log", "wb") as output:
            daemon = subprocess.Popen(
                [*program, "run"], env={**os.environ, **support.KEY}, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            settle(daemon)
            print(f"settled after {time.monotonic() - start:.0f} s and {cpu_seconds(daemon.pid):.2f} s CPU")
            before = cpu_seconds(daemon.pid)
            time.sleep(options.seconds)
            used, megabytes = cpu_seconds(daemon.pid) - before, memory(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=30)
        targets, attempts = database.scalars("SELECT (SELECT count(*) FROM targets), (SELECT count(*) FROM attempts)")

    print(f"{targets:,} targets: {megabytes['VmRSS']:.0f} MB (peak {megabytes['VmHWM']:.0f} MB)")
    print(f"idle for {options.seconds} s: {used:.2f} s CPU")
    if targets != options.targets or attempts:
        sys.exit(f"{options.targets} targets and no attempts were expected, not {targets} and {attempts}")


def prepare(database, program, slot):
    """Migrates, and has each target that soundwatch will add be asked already for its newest slot."""
    used = support.measured([*program, "db", "migrate"], support.KEY)
    if used.code != 0:
        sys.exit(used.output)
    database.execute(f"""
        CREATE TRIGGER bench_asked AFTER INSERT ON targets BEGIN
            INSERT INTO fetches (target_id, slot_at, outcome, reason, settled_at)
            VALUES (NEW.id, {slot}, 'failed', 'timeout', {slot});
        END;
    """)


def settle(daemon):
    """Until five seconds pass in which nothing was computed."""
    quiet, last = 0, 0.0
    for _ in range(600):
        time.sleep(1)
        if daemon.poll() is not None:
            sys.exit((support.WORK / "output.log").read_text())
        now = cpu_seconds(daemon.pid)
        quiet = quiet + 1 if now - last < 0.05 and now > 0 else 0
        last = now
        if quiet == 5:
            return
    sys.exit("it did not come to rest within ten minutes")


main()
