"""Proves that no fault of a disk loses or repeats a paid answer; see scripts/prove-write-faults.

For each point: `collect` asks the simulated API in a fresh folder while one call that changes a file of
the database or the spool fails, is cut short, or is the last before the process dies. Then `collect`
runs again without a fault, and the ledger is held against what the API was asked and has sent."""

import argparse
import collections
import concurrent.futures
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading

CLIPS = [f"670372335149750{n:04}" for n in range(8865, 8871)]
FAULTS = ["enospc", "eio", "short", "kill_before", "kill_after", "full"]
# Of every answer of the simulated API that is a good one these credits are counted.
CREDITS = 2


class Counting(http.server.ThreadingHTTPServer):
    """Stands before the simulated API and counts, for each point by its key, what was asked and what
    was sent in full."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.asked = collections.defaultdict(collections.Counter)
        self.delivered = collections.defaultdict(collections.Counter)
        self.lock = threading.Lock()

    def handle_error(self, request, client_address):
        """A killed client breaks its connection: that is what is proven."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, point, path = self.path.split("/", 2)
        clip = re.search(r"clip_id=(\d+)", path)[1]
        with self.server.lock:
            self.server.asked[point][clip] += 1
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        upstream.request("GET", "/" + path, headers={"Authorization": self.headers["Authorization"]})
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        try:
            self.send_response(answer.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            return
        with self.server.lock:
            self.server.delivered[point][clip] += 1

    def log_message(self, *_):
        pass


class Prover:
    def __init__(self, binary, shim, folder):
        self.binary, self.shim, self.folder = binary, shim, folder
        self.simulator = subprocess.Popen(
            [binary, "simulate", "--listen", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = ""
        while not text.rstrip().endswith("}"):
            text += self.simulator.stdout.readline()
        self.server = Counting(json.loads(text)["base_url"].removeprefix("http://"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def end(self):
        self.simulator.kill()
        self.simulator.wait()
        self.server.shutdown()

    def command(self, place, point, *arguments, **faults):
        env = {
            "SOUNDWATCH__API__BASE_URL": f"http://127.0.0.1:{self.port}/{point}",
            "SOUNDWATCH__API__KEY": "sk_live_simulated",
            "RUST_LOG": "warn",
        }
        if faults:
            env |= {"LD_PRELOAD": self.shim, "FAULT_DIR": str(place)}
            env |= {name: str(value) for name, value in faults.items()}
        return subprocess.run([self.binary, *arguments], cwd=place, env=env, capture_output=True, text=True, timeout=120)

    def place(self, name, template=None):
        """A folder with tables and nothing in them, or a copy of another one."""
        place = self.folder / name
        if template:
            subprocess.run(["cp", "-a", "--sparse=always", template, place], check=True)
            return place
        place.mkdir()
        sounds = "".join(f'[[sounds]]\nclip = "{clip}"\n' for clip in CLIPS)
        (place / "watchlist.toml").write_text('[defaults]\nschedule = "@yearly"\n' + sounds)
        (place / "config.toml").write_text(
            '[api]\nmax_in_flight = 3\nrequests_per_second = 100\n[database]\nurl = "sqlite:a.db"\n')
        return place

    def calls(self, place, point, **faults):
        """Runs `collect` with a log of its calls, and gives (number, name, path) of each."""
        log = self.folder / f"{place.name}.log"
        done = self.command(place, point, "collect", FAULT_LOG=log, **faults)
        lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
        log.unlink()
        return [(int(n), name, path) for n, name, path in lines], done

    def point(self, way, template, fault, at, **more):
        """One point: a dictionary of what came of it."""
        # Two ways may begin in one folder: what is counted is counted for each.
        name = f"{way.replace(' ', '')}-{fault}-{at}"
        place = self.place(name, template)
        # What was asked for when the template was made counts too.
        for counts in (self.server.asked, self.server.delivered):
            counts[name].update(counts[template.name])
        try:
            calls, faulty = self.calls(place, name, FAULT=fault, FAULT_AT=at, **more)
            clean = self.command(place, name, "collect")
            # Of those that were in memory when the process was killed the ledger has made `unknown`.
            check = self.command(place, name, "db", "check")
            hit = next((f"{call} {kind_of(path)}" for n, call, path in calls if n == at), None)
            result = self.compare(place, name, fault.startswith("kill"))
            result |= {"point": name, "fault": fault, "hit": hit, "exit": faulty.returncode}
            if check.returncode or clean.returncode not in (0, 3):
                result["corrupt"] = (check.stdout + check.stderr + clean.stderr)[-2000:]
            result["waited"] = "waits in the spool" in faulty.stderr + faulty.stdout
            result["in_memory"] = "waits in memory only" in faulty.stderr + faulty.stdout
            if result["wrong"]:
                result["said"] = faulty.stderr[-3000:] + "\n--\n" + clean.stderr[-2000:]
            return result
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def compare(self, place, point, killed):
        database = sqlite3.connect(place / "a.db")
        rows = database.execute(
            "SELECT t.clip_id, f.id, f.outcome, a.state, a.credits, s.id FROM targets AS t JOIN fetches AS f ON f.target_id = t.id"
            " LEFT JOIN attempts AS a ON a.fetch_id = f.id LEFT JOIN snapshots AS s ON s.id = f.snapshot_id").fetchall()
        days = database.execute("SELECT coalesce(sum(credits), 0) FROM credit_days").fetchone()[0]
        database.close()
        asked, delivered = self.server.asked[point], self.server.delivered[point]
        states = collections.defaultdict(collections.Counter)
        for clip, _, _, state, _, _ in rows:
            states[clip][state] += 1
        missing, twice, wrong = 0, 0, []
        for clip in CLIPS:
            answered, unknown = states[clip]["answered"], states[clip]["unknown"]
            lost = delivered[clip] - answered - (unknown if killed else 0)
            missing += max(0, lost)
            twice += max(0, asked[clip] - 1 - unknown)
            if answered + unknown < asked[clip]:
                wrong.append(f"{clip}: asked {asked[clip]} times, {answered} answered and {unknown} unknown")
        if states and any(counts["sent"] for counts in states.values()):
            wrong.append("an attempt is under way for ever")
        fetches = {clip: {row[1] for row in rows if row[0] == clip} for clip in CLIPS}
        for clip, ids in fetches.items():
            if len(ids) != 1:
                wrong.append(f"{clip}: {len(ids)} fetches")
        unstored = {row[0] for row in rows if row[2] not in ("stored", "confirmed") or row[5] is None}
        if unstored:
            wrong.append(f"not stored: {sorted(unstored)}")
        counted = CREDITS * sum(c["answered"] + c["unknown"] for c in states.values())
        if days != counted or sum(row[4] or 0 for row in rows) != counted:
            wrong.append(f"credit_days has {days} credits, the attempts make {counted}")
        if missing or twice:
            wrong.append(f"missing {missing}, paid twice {twice}")
        unknown = sum(c["unknown"] for c in states.values())
        return {"missing": missing, "twice": twice, "unknown": unknown, "wrong": wrong, "corrupt": None}


def kind_of(path):
    name = pathlib.PurePath(path).name
    if "spool" in path:
        return "spool"
    return {"a.db": "database", "a.db-wal": "log", "a.db-shm": "log index"}.get(name, name)


def templates(prover):
    """The ways that are proven: each a folder to begin in, further faults, and the calls to hit."""
    empty = prover.place("empty")
    prover.command(empty, "empty", "db", "migrate")
    whole = prover.place("whole", empty)
    calls, done = prover.calls(whole, "whole")
    assert done.returncode == 0, done.stderr
    yield "settling", empty, {}, [n for n, _, _ in calls]

    # The database is full from its last third on: answers have come, and go to the spool.
    writes = [n for n, _, path in calls if kind_of(path) in ("database", "log")]
    for part, at in enumerate((writes[len(writes) // 2], writes[len(writes) * 2 // 3]), 1):
        full = prover.place(f"full{part}", empty)
        calls, _ = prover.calls(full, f"full{part}", FAULT_DB_FULL_FROM=at)
        spool = [n for n, _, path in calls if kind_of(path) == "spool"]
        yield f"spooling {part}", empty, {"FAULT_DB_FULL_FROM": at}, spool
        waiting = prover.place(f"waiting{part}", full)
        for counts in (prover.server.asked, prover.server.delivered):
            counts[waiting.name].update(counts[full.name])
        again = prover.place(f"again{part}", waiting)
        calls, _ = prover.calls(again, f"again{part}")
        yield f"returning {part}", waiting, {}, [n for n, _, _ in calls]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("binary", type=pathlib.Path)
    options.add_argument("shim", type=pathlib.Path)
    options.add_argument("--every", type=int, default=1, help="of so many points only one")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundwatch-faults-", dir=memory()) as folder:
        prover = Prover(options.binary.resolve(), options.shim.resolve(), pathlib.Path(folder))
        try:
            results = list(prove(prover, options))
        finally:
            prover.end()
    return report(results)


def memory():
    """Where the folders are made: in memory, where there is some; what is proven is no matter of speed."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def prove(prover, options):
    points = []
    for way, template, more, calls in templates(prover):
        points += [(way, template, fault, at, more) for at in calls for fault in FAULTS]
    # Those that are left out are others for each fault and each way, and the same each time.
    random.Random(1).shuffle(points)
    points = points[:: options.every]
    print(f"{len(points)} points", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(prover.point, way, t, fault, at, **more): way for way, t, fault, at, more in points}
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            if done % 100 == 0:
                print(f"{done} of {len(points)}", file=sys.stderr)
            yield {"way": futures[future], **future.result()}


def report(results):
    rows = collections.defaultdict(list)
    for result in results:
        rows[result["way"].split()[0], result["fault"]].append(result)
    print(f"{'way':<10} {'fault':<12} {'points':>6} {'hit':>6} {'unknown':>8} {'spooled':>8} {'missing':>8} {'twice':>6} {'corrupt':>8} {'wrong':>6}")
    total = collections.Counter()
    for (way, fault), group in sorted(rows.items()):
        line = {
            "points": len(group),
            "hit": sum(r["hit"] is not None for r in group),
            "unknown": sum(r["unknown"] for r in group),
            "spooled": sum(r["waited"] for r in group),
            "missing": sum(r["missing"] for r in group),
            "twice": sum(r["twice"] for r in group),
            "corrupt": sum(r["corrupt"] is not None for r in group),
            "wrong": sum(bool(r["wrong"]) for r in group),
        }
        total.update(line)
        print_row(way, fault, line)
    print_row("all", "", total)
    for result in results:
        if result["wrong"] or result["corrupt"]:
            print(json.dumps(result, indent=1))
    return 1 if total["missing"] or total["twice"] or total["corrupt"] or total["wrong"] else 0


def print_row(way, fault, line):
    print(f"{way:<10} {fault:<12} {line['points']:>6} {line['hit']:>6} {line['unknown']:>8} {line['spooled']:>8} "
          f"{line['missing']:>8} {line['twice']:>6} {line['corrupt']:>8} {line['wrong']:>6}")


if __name__ == "__main__":
    sys.exit(main())
