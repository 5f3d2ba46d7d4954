"""Edits: random edits of the watchlist of a running daemon, good ones and broken ones, saved in all the ways in which
programs save. After each the targets in the database must be those of the last good file, and nothing else in between.
Run by scripts/prove-edits.
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
import tomllib

import support

SCHEDULES = ["15 6 * * *", "@weekly", "30 7 * * 1"]
REGIONS = ["US", "LV", "DE"]
CLIP_IDS = [str(7_350_000_000_000_000_000 + number) for number in range(40)]
# What the daemon says when it leaves a file alone.
REFUSED = "the old watchlist stays in force"
GOOD_AGAIN = "the watchlist is good again"
# A good edit is taken up within this time (seconds).
PROMISED = 2.0
# So long a daemon on a busy machine is waited for before the proof has failed.
PATIENCE = 30.0


def good_list(dice):
    text = f'[defaults]\nschedule = "{dice.choice(SCHEDULES)}"\n'
    for clip_id in dice.sample(CLIP_IDS, dice.randint(1, 12)):
        regions = json.dumps(dice.sample(REGIONS, dice.randint(1, 2)))
        text += f'\n[[sounds]]\nclip = "{clip_id}"\nregions = {regions}\n'
        if dice.random() < 0.3:
            text += f"period = {dice.choice(['120', '[7, 30]'])}\n"
    return text


def targets_of(text):
    """What a file asks for, read by other code than the daemon's; None if it is broken."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    schedule = document.get("defaults", {}).get("schedule", "15 6 * * *")
    targets = set()
    for sound in document.get("sounds", []):
        if not 15 <= len(sound.get("clip", "")) <= 20 or sound.keys() - {"clip", "regions", "period"}:
            return None
        periods = sound.get("period", 7)
        for period in periods if isinstance(periods, list) else [periods]:
            if period not in (7, 30, 120):
                return None
            targets |= {f"{sound['clip']} {region} {period} {schedule}" for region in sound.get("regions", ["US"])}
    return targets or None


def broken_list(dice):
    text = good_list(dice)
    broken = dice.choice(
        [
            lambda: "",
            lambda: "# nothing yet\n",
            lambda: text + "[[sounds]]\nclip = \n",
            lambda: text + '[[sounds]]\nclip = "123"\n',
            lambda: text + "[[sounds]]\n",
            lambda: text.replace("[[sounds]]", "[sounds]", 1) + "\n[[sounds\n",
            lambda: text.replace("clip", "clap", 1),
            # Cut off anywhere: what is left may be good.
            lambda: text[: dice.randrange(len(text))],
        ]
    )
    return broken()


class Folder:
    """The folder of the watchlist, and the ways of saving one. Each gives whether it was a single state of the file."""

    def __init__(self, path):
        self.path = path / "watchlist.toml"
        self.number = 0

    def beside(self, text):
        self.number += 1
        path = self.path.parent / f"new-{self.number}"
        path.write_text(text)
        return path

    def by_rename(self, text, _dice):
        self.beside(text).rename(self.path)

    def in_place(self, text, _dice):
        self.path.write_text(text)

    def in_pieces(self, text, dice):
        """Half-written for up to two seconds, by a program that has it open."""
        with open(self.path, "w") as file:
            for piece in cut(text, dice):
                file.write(piece)
                file.flush()
                time.sleep(dice.uniform(0, 1.0))

    def deleted_and_new(self, text, _dice):
        self.path.unlink(missing_ok=True)
        self.path.write_text(text)

    def moved_away_and_back(self, text, _dice):
        away = self.beside(text)
        self.path.unlink(missing_ok=True)
        os.link(away, self.path)

    def by_symlink(self, text, _dice):
        self.link_to(self.version(text))

    def by_symlinked_folder(self, text, _dice):
        """As Kubernetes mounts a configuration: the link to the folder is swapped, the file's own stays."""
        data = self.path.parent / "..data"
        self.swap(data, self.version(text).parent)
        if not (self.path.is_symlink() and os.readlink(self.path) == "..data/list.toml"):
            self.link_to("..data/list.toml")

    def through_the_symlink(self, text, dice):
        """The file behind the link, in a folder of its own, is replaced."""
        self.by_symlink(good_list(dice), dice)
        behind = self.path.resolve()
        new = behind.with_name("new")
        new.write_text(text)
        new.rename(behind)

    def in_a_hurry(self, text, dice):
        for _ in range(4):
            self.by_rename(good_list(dice), dice)
            time.sleep(dice.uniform(0, 0.05))
        self.by_rename(text, dice)

    def version(self, text):
        self.number += 1
        folder = self.path.parent / f"version-{self.number}"
        folder.mkdir()
        (folder / "list.toml").write_text(text)
        return folder / "list.toml"

    def link_to(self, target):
        self.swap(self.path, target)

    def swap(self, link, target):
        self.number += 1
        beside = self.path.parent / f"link-{self.number}"
        beside.symlink_to(target)
        beside.rename(link)


def cut(text, dice):
    ends = sorted(dice.sample(range(len(text)), min(2, len(text))))
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)])]


WAYS = [
    Folder.by_rename,
    Folder.in_place,
    Folder.in_pieces,
    Folder.deleted_and_new,
    Folder.moved_away_and_back,
    Folder.by_symlink,
    Folder.by_symlinked_folder,
    Folder.through_the_symlink,
    Folder.in_a_hurry,
]


class Daemon:
    def __init__(self, program, log, database):
        self.log = log
        self.database = database
        self.process = subprocess.Popen(
            [*program, "run"], env={**os.environ, **support.KEY}, stderr=open(log, "wb"), stdout=subprocess.DEVNULL
        )

    def targets(self):
        sql = (
            "SELECT clip_id || ' ' || region || ' ' || period || ' ' || schedule FROM targets WHERE removed_at IS NULL"
        )
        if isinstance(self.database, support.Postgres):
            return set(self.database.psql(self.database.url, sql).splitlines())
        with contextlib.closing(sqlite3.connect(self.database.path, timeout=30)) as connection:
            return {text for (text,) in connection.execute(sql)}

    def refusals(self):
        return self.log.read_text().count(REFUSED)

    def is_refused(self):
        """Whether a broken file was told last."""
        log = self.log.read_text()
        return log.rfind(REFUSED) > log.rfind(GOOD_AGAIN)


class Proof:
    def __init__(self, folder, daemon, dice):
        self.folder, self.daemon, self.dice = folder, daemon, dice
        self.in_force = None
        self.tally = collections.Counter()
        self.times = []
        self.late = []

    def edit(self):
        """One edit and what becomes of it."""
        kind = self.dice.choices(["good", "broken", "deleted", "the same"], [60, 30, 6, 4])[0]
        if kind == "deleted" and os.path.lexists(self.folder.path):
            self.tally["deleted"] += 1
            refusals = self.daemon.refusals()
            self.folder.path.unlink()
            return self.expect_refused(refusals)
        way = self.dice.choice(WAYS)
        text = {"good": good_list, "broken": broken_list}.get(kind, lambda _: self.last_good)(self.dice)
        refusals = self.daemon.refusals()
        way(self.folder, text, self.dice)
        begun = time.monotonic()
        if self.dice.random() < 0.05:
            self.tally["with a reload at once"] += 1
            self.daemon.process.send_signal(signal.SIGHUP)
        self.tally[way.__name__.replace("_", " ")] += 1
        wanted = targets_of(text)
        if way not in (Folder.through_the_symlink, Folder.in_a_hurry):
            # These have other good files on the way; with all others there is the old list, then the new one.
            found = self.daemon.targets()
            if found not in (self.in_force, wanted):
                sys.exit(f"while edit {self.number} was made ({way.__name__}): the targets are\n{sorted(found)}")
        if wanted is None:
            self.tally["broken"] += 1
            return self.expect_refused(refusals)
        self.tally["good"] += 1
        self.last_good = text
        self.expect(wanted, begun)

    def expect(self, wanted, begun):
        before = self.daemon.targets()
        # A list that is in force already has been taken up when it is told to be good again.
        while (found := self.daemon.targets()) != wanted or self.daemon.is_refused():
            if time.monotonic() - begun > PATIENCE:
                sys.exit(f"after edit {self.number}: the targets are\n{sorted(found)}\ninstead of\n{sorted(wanted)}")
            time.sleep(0.01)
        took = time.monotonic() - begun
        if before != wanted:
            self.times.append(took)
            if took > PROMISED:
                self.late.append((self.number, round(took, 2)))
        self.in_force = wanted

    def expect_refused(self, refusals):
        begun = time.monotonic()
        while self.daemon.refusals() == refusals:
            if time.monotonic() - begun > PATIENCE:
                sys.exit(f"after edit {self.number}: nothing was said of the broken file")
            time.sleep(0.02)
        found = self.daemon.targets()
        if found != self.in_force:
            sys.exit(f"after edit {self.number}, a broken one: the targets are\n{sorted(found)}\ninstead of\n{sorted(self.in_force)}")

    def run(self, edits):
        self.last_good = self.folder.path.read_text()
        self.number = 0
        self.expect(targets_of(self.last_good), time.monotonic())
        for self.number in range(1, edits + 1):
            self.edit()
            if sys.stderr.isatty():
                print(f"\redit {self.number}", end="", file=sys.stderr)


@contextlib.contextmanager
def simulator(soundwatch):
    command = [soundwatch, "simulate", "--json", "--listen", "127.0.0.1:0", "--key", "sk_live_bench"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        text = ""
        while True:
            text += process.stdout.readline()
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(text)["base_url"]
                return
    finally:
        process.terminate()
        process.wait()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--edits", type=int, default=1000)
    options.add_argument("--database", choices=support.DATABASES, default="sqlite")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--binary", help="the soundwatch to edit (else the newest of target/dist and release)")
    options = options.parse_args()
    soundwatch = support.binary(options.binary)
    dice = random.Random(options.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        database = support.DATABASES[options.database](directory)
        stack.callback(database.drop)
        base_url = stack.enter_context(simulator(soundwatch))
        config = support.write_configuration(directory, base_url, database, CLIP_IDS[:3])
        program = [soundwatch, "--config", config]
        subprocess.run([*program, "db", "migrate"], check=True, capture_output=True)
        daemon = Daemon(program, directory / "run.log", database)
        stack.callback(daemon.process.kill)
        proof = Proof(Folder(directory), daemon, dice)
        try:
            proof.run(options.edits)
        except SystemExit:
            print(daemon.log.read_text()[-3000:], file=sys.stderr)
            raise
        daemon.process.send_signal(signal.SIGTERM)
        if daemon.process.wait() != 0:
            sys.exit("the daemon did not end well")
        subprocess.run([*program, "db", "check"], check=True, capture_output=True)
        seconds = time.monotonic() - begun
        report(options, proof, seconds)


def report(options, proof, seconds):
    times = sorted(proof.times)
    print(f"{options.edits} edits on {options.database}, seed {options.seed}, in {seconds:.0f} s: {dict(proof.tally)}")
    print(
        f"{len(times)} changed the targets: after {times[len(times) // 2]:.2f} s in the middle,"
        f" {times[len(times) * 99 // 100]:.2f} s for 99 of 100, {times[-1]:.2f} s at most"
    )
    if proof.late:
        sys.exit(f"later than {PROMISED} s: {proof.late}")
    print("all holds")


main()
