"""Kill: rounds of `kill -9` at random moments, while the program collects from a simulated API in a process of its own.

Some targets are due every other second, some every minute, some are asked for by hand, so that deaths hit the start, the
claim, the wire and the settling; in some rounds the database is full, so that they hit the spool. Afterwards the books are
compared: the database's, the API's log of requests, and the schedule. Run by scripts/prove-kill.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import support

FAULTS = "500:0.015,429:0.01,cut:0.01,no_data:0.01,404:0.005"
LATENCY = "10ms..250ms"
# Seconds between two slots, and how many sounds have such a schedule.
SCHEDULES = {2: ("*/2 * * * * *", 24), 60: ("* * * * *", 16)}
# A dead worker's claims on a Postgres are free after so many seconds.
SILENT = 21
KILLED = "the process ended before an answer came"

FULL = {
    "sqlite": (
        "CREATE TRIGGER full_up BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'full'); END",
        "DROP TRIGGER full_up",
    ),
    "postgres": (
        "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_up BEFORE INSERT ON snapshots FOR EACH ROW EXECUTE FUNCTION full_up()",
        "DROP FUNCTION full_up CASCADE",
    ),
}


class Books:
    """The database, read with SQL."""

    def __init__(self, database):
        self.database = database

    def rows(self, sql):
        if isinstance(self.database, support.Sqlite):
            with contextlib.closing(sqlite3.connect(self.database.path, timeout=30)) as connection:
                return [tuple(row) for row in connection.execute(sql)]
        # As JSON, so that numbers are numbers.
        text = self.database.psql(self.database.url, f"SELECT json_agg(r) FROM ({sql}) AS r").strip()
        return [tuple(row.values()) for row in json.loads(text or "null") or []]

    def one(self, sql):
        return self.rows(sql)[0][0]

    def execute(self, sql):
        if isinstance(self.database, support.Sqlite):
            with contextlib.closing(sqlite3.connect(self.database.path, timeout=30)) as connection:
                connection.executescript(sql)
        else:
            self.database.execute(sql)


def write_files(directory, base_url, database):
    clip_ids = iter(7_350_000_000_000_000_000 + number for number in range(1_000))
    watchlist = '[defaults]\nregions = ["US"]\nperiod = 7\n'
    for cron, sounds in SCHEDULES.values():
        for _ in range(sounds):
            watchlist += f'\n[[sounds]]\nclip = "{next(clip_ids)}"\nschedule = "{cron}"\n'
    path = support.write_configuration(directory, base_url, database, [], in_flight=8)
    (directory / "watchlist.toml").write_text(watchlist)
    return path


@contextlib.contextmanager
def simulator(soundwatch, seed, log):
    command = [soundwatch, "simulate", "--json", "--listen", "127.0.0.1:0", "--seed", str(seed), "--key", "sk_live_bench"]
    command += ["--latency", LATENCY, "--faults", FAULTS, "--log", log]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        # The document has several lines; the last one is a brace.
        text = ""
        while True:
            text += process.stdout.readline()
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(text)["base_url"]
                return
    finally:
        process.terminate()
        process.wait()


def kill_at_random(program, dice, log, tally):
    """One round: something is started and killed. Some have ended by then, which is a moment too."""
    kind = dice.choices(["collect", "collect --all", "run"], [6, 2, 2])[0]
    process = subprocess.Popen(
        [*program, *kind.split()], env={**os.environ, **support.KEY}, stdout=log, stderr=subprocess.STDOUT
    )
    # A daemon looks once a second.
    time.sleep(dice.uniform(0.5, 2.5) if kind == "run" else dice.uniform(0.0, 0.5))
    tally[kind] += 1
    tally["ended before the kill"] += process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.wait()


def rounds(options, program, books, dice, log):
    tally = collections.Counter()
    full, mend = FULL[options.database]
    is_full = False
    for number in range(options.rounds):
        if is_full:
            books.execute(mend)
        is_full = number > 0 and dice.random() < 0.1
        if is_full:
            tally["with a full database"] += 1
            books.execute(full)
        kill_at_random(program, dice, log, tally)
        if sys.stderr.isatty():
            print(f"\rround {number + 1}", end="", file=sys.stderr)
    if is_full:
        books.execute(mend)
    return tally


def finish(options, program, books):
    """What is open is taken over; nothing is left open."""
    if options.database == "postgres":
        time.sleep(SILENT)
    used = support.measured([*program, "collect"], support.KEY)
    if used.code not in (0, 3):
        sys.exit(f"the last collect ended with {used.code}\n{used.output}")
    open_fetches = books.one("SELECT count(*) AS n FROM fetches WHERE outcome IS NULL")
    sent = books.one("SELECT count(*) AS n FROM attempts WHERE state = 'sent'")
    expect("fetches without an outcome and attempts under way", (open_fetches, sent), (0, 0))


PROBLEMS = []


def expect(what, found, wanted):
    if found != wanted:
        PROBLEMS.append(f"{what}: {found} instead of {wanted}")


def compare_slots(books):
    """Every slot from the first one that counts to the last one seen has exactly one row. The minute of what was asked
    for by hand is a slot of these schedules too."""
    slots = collections.defaultdict(list)
    for target, slot_at, of_row in books.rows(
        """SELECT f.target_id, f.slot_at, f.slots FROM fetches AS f JOIN targets AS t ON t.id = f.target_id
        WHERE f.slot_at >= t.slots_from"""
    ):
        expect(f"slots that a row of target {target} stands for", of_row, 1)
        slots[target].append(slot_at)
    expected = 0
    for target, first, schedule in books.rows("SELECT id, slots_from, schedule FROM targets"):
        step = 2 if schedule == SCHEDULES[2][0] else 60
        wanted = list(range(first, max(slots[target]) + 1, step))
        expected += len(wanted)
        expect(f"slots of target {target}", sorted(slots[target]), wanted)
    return expected


def compare_requests(books, log):
    """Each request of the API's log is in the ledger, under its sound; what the ledger has more died before it was sent."""
    asked = collections.Counter(line["clip_id"] for line in log)
    ledger = books.rows(
        f"""SELECT t.clip_id, count(*) AS sent, sum(CASE WHEN a.error = '{KILLED}' THEN 1 ELSE 0 END) AS killed
        FROM attempts AS a JOIN fetches AS f ON f.id = a.fetch_id JOIN targets AS t ON t.id = f.target_id
        WHERE a.state <> 'not_sent' GROUP BY t.clip_id"""
    )
    unsent = killed = 0
    for clip_id, sent, killed_here in ledger:
        missing = sent - asked.pop(clip_id, 0)
        if not 0 <= missing <= killed_here:
            PROBLEMS.append(f"{clip_id}: {missing} attempts without a request, {killed_here} of them killed")
        unsent += missing
        killed += killed_here
    expect("requests of sounds that the ledger does not know", dict(asked), {})
    return killed, unsent


def compare_answers(books, log):
    """An answer that was committed ends its slot: nothing is asked after it, and no good answer is lost."""
    again = books.one(
        """SELECT count(*) AS n FROM attempts AS a
        WHERE a.state = 'answered' AND (a.http_status = 404 OR a.api_code = 0)
            AND EXISTS (SELECT 1 FROM attempts AS b WHERE b.fetch_id = a.fetch_id AND b.n > a.n)"""
    )
    expect("slots that were asked again after their answer was committed", again, 0)
    too_often = books.one("SELECT count(*) AS n FROM attempts WHERE n > 3")
    expect("attempts beyond api.attempts", too_often, 0)
    # A sound without a trend has no data, however good its answers are.
    with_trend = {
        clip_id
        for (clip_id,) in books.rows(
            """SELECT DISTINCT t.clip_id FROM fetches AS f JOIN targets AS t ON t.id = f.target_id
            WHERE f.outcome IN ('stored', 'confirmed')"""
        )
    }
    good = sum(line["answer"] == "good" and line["clip_id"] in with_trend for line in log)
    kept = books.one("SELECT count(*) AS n FROM fetches WHERE outcome IN ('stored', 'confirmed')")
    return good - kept


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=500)
    options.add_argument("--database", choices=FULL, default="sqlite")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--binary", help="the soundwatch to kill (else the newest of target/dist and release)")
    options = options.parse_args()
    soundwatch = support.binary(options.binary)
    dice = random.Random(options.seed)
    support.WORK.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        requests = directory / "requests.log"
        database = support.DATABASES[options.database](directory)
        stack.callback(database.drop)
        books = Books(database)
        base_url = stack.enter_context(simulator(soundwatch, options.seed, requests))
        program = [soundwatch, "--config", write_files(directory, base_url, database)]
        subprocess.run([*program, "db", "migrate"], check=True, capture_output=True)
        with open(support.WORK / "kill.log", "wb") as log:
            tally = rounds(options, program, books, dice, log)
        finish(options, program, books)
        report(options, program, books, [json.loads(line) for line in requests.open()], tally)
    print(f"in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    if PROBLEMS:
        sys.exit("\n".join(["does not hold:", *PROBLEMS[:20]]))
    print("all holds")


def report(options, program, books, log, tally):
    checked = subprocess.run([*program, "db", "check"], capture_output=True, text=True)
    expect("db check", (checked.returncode, checked.stdout), (0, "The database holds together.\n"))
    if options.database == "sqlite":
        expect("PRAGMA integrity_check", books.rows("PRAGMA integrity_check"), [("ok",)])
    slots = compare_slots(books)
    killed, unsent = compare_requests(books, log)
    lost = compare_answers(books, log)
    expect("good answers that were lost without a death", lost > killed, False)
    again = books.one(
        f"""SELECT count(*) AS n FROM attempts AS a JOIN attempts AS b ON b.fetch_id = a.fetch_id AND b.n = a.n + 1
        WHERE a.error = '{KILLED}' AND a.credits > 0 AND b.credits > 0"""
    )
    outcomes = books.rows("SELECT outcome, reason, count(*) AS n FROM fetches GROUP BY 1, 2 ORDER BY 1, 2")
    attempts, credits = books.rows("SELECT count(*) AS n, sum(credits) AS credits FROM attempts")[0]
    charged = sum(line["credits"] for line in log)
    on_the_wire_free = sum(line["credits"] == 0 for line in log) - books.one(
        "SELECT count(*) AS n FROM attempts WHERE http_status IN (401, 402, 403, 429)"
    )
    expect("credits in the ledger", credits, charged + 2 * unsent + 2 * on_the_wire_free)
    print(f"{options.rounds} rounds on {options.database}: {dict(tally)}")
    print("slots: " + ", ".join(f"{outcome} {reason or ''} {n}".replace("  ", " ") for outcome, reason, n in outcomes))
    print(f"{slots} scheduled slots, each with one row; {len(log)} requests on the API, {attempts} attempts in the ledger")
    print(f"killed with a request reserved: {killed}, of which never reached the API: {unsent}")
    print(f"paid for and not kept, because the answer was on the wire or unsettled: {lost} good answers")
    print(f"slots asked again after a death: {again}")
    print(
        f"credits: {credits} in the ledger, {charged} counted by the API; the difference: {unsent} requests that were"
        f" reserved and never sent, {on_the_wire_free} free answers that were never read"
    )


main()
