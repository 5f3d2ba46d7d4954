"""Fills a database with sounds and a year of daily windows, and measures `soundwatch report` on it.

What is inserted has the form of what collecting leaves behind, with an index as one would be computed:
bounds of a rounded window, the newest days provisional, an outage that splits some sounds in two.
"""

import argparse
import hashlib
import math
import os
import random
import resource
import sqlite3
import subprocess
import time

DAY = 86_400
COUNTRIES = [
    ("6252001", "US", "United States"), ("458258", "LV", "Latvia"), ("3202326", "HR", "Croatia"),
    ("597427", "LT", "Lithuania"), ("732800", "BG", "Bulgaria"), ("2782113", "AT", "Austria"),
    ("2264397", "PT", "Portugal"), ("2510769", "ES", "Spain"), ("2635167", "GB", "United Kingdom"),
    ("2921044", "DE", "Germany"), ("3017382", "FR", "France"), ("3175395", "IT", "Italy"),
    ("3469034", "BR", "Brazil"), ("3996063", "MX", "Mexico"), ("1861060", "JP", "Japan"),
    ("1643084", "ID", "Indonesia"), ("1694008", "PH", "Philippines"), ("1880251", "SG", "Singapore"),
    ("6251999", "CA", "Canada"), ("2077456", "AU", "Australia"), ("953987", "ZA", "South Africa"),
]
INTERESTS = [
    ("10004", "Scripted Drama"), ("10011", "Other Talent"), ("10019", "Dance"), ("10027", "Singing & Instruments"),
    ("10033", "Cats & Dogs"), ("10049", "Entertainment News"), ("10058", "Cooking"), ("10073", "Selfies"),
    ("10081", "Street Interviews & Social Experiments"),
]
FIRST = ["New", "Slow", "Midnight", "Café", "Lost", "Neon", "Ísland", "Paper", "Second", "夜の", "Señora", "Velvet"]
LAST = ["Sun", "Rain", "Drive", "Hearts", "Signal (sped up)", "Garden", "Tide", "Radio", "Fever", "Letters 💌", "Echo"]
AUTHORS = ["Mira Holm", "DJ Okapi", "The Lanterns", "José & Ana", "Yuki Tanabe", "Low Orbit", "Søren", "Фонарь"]
ODD = ["<script>alert('1')</script> \"quoted\" & more", "שלום עולם مرحبا (remix)", "long " * 60, "👩‍👧 \u202eturned"]


def course(shape, dice, length):
    """How popular a sound is, day by day."""
    surges = [(dice.randrange(length), dice.uniform(0.3, 3), dice.uniform(4, 14)) for _ in range(dice.randint(2, 6))]
    for day in range(length):
        x = 0.02 + sum(h * math.exp(-(day - at) / life) for at, h, life in surges if day >= at)
        if shape == "weekly":
            x = 1 + 0.1 * x
        elif shape == "decay":
            x = math.exp(-day / 120) + 0.2 * x
        weekend = 1 + (0.7 if shape == "weekly" else 0.15) * (day % 7 in (1, 2))
        yield x * weekend * dice.uniform(0.9, 1.1)


class Sound:
    def __init__(self, n, newest, days):
        self.dice = random.Random(n)
        self.clip = str(6_900_000_000_000_000_000 + n * 7_919_000_000_013)
        self.title = ODD[n // 25] if n % 25 == 7 and n // 25 < len(ODD) else f"{self.dice.choice(FIRST)} {self.dice.choice(LAST)}"
        self.author = self.dice.choice(AUTHORS)
        shape = self.dice.choice(["surges", "surges", "weekly", "decay"])
        self.first = newest - days - 119
        self.truth = list(course(shape, self.dice, days + 120))
        # One in ten was not asked for four weeks, and nothing links its days.
        self.outage = (newest - 200, newest - 172) if n % 10 == 3 else None

    def unasked(self, day):
        return self.outage and self.outage[0] <= day <= self.outage[1]

    def missing(self, day):
        """The first window after an outage shows the six days before it."""
        return self.unasked(day) and day <= self.outage[1] - 6

    def period(self, day):
        """As `auto` asks; only short windows leave the days of an outage missing."""
        return 7 if self.outage else 30 if day % 7 == 0 else 120 if day % 7 == 3 else 7

    def index(self, newest):
        days = [day for day in range(self.first, newest + 1) if not self.missing(day)]
        segments = [[d for d in days if not self.outage or d < self.outage[0]], [d for d in days if self.outage and d > self.outage[0]]]
        for number, segment in enumerate(segments, 1):
            peak = max((self.truth[d - self.first] for d in segment), default=1)
            for day in segment:
                value = 100 * self.truth[day - self.first] / peak
                width = self.dice.uniform(0.3, 2.5) if value < 99.9 else 0
                yield (self.clip, "US", day, value, max(value - width, 0), value + width, number, day > newest - 2)


def fill(path, sounds, days):
    newest = int(time.time()) // DAY - 1
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    db.executemany("INSERT INTO countries VALUES (?, ?, ?)", COUNTRIES)
    db.executemany("INSERT INTO interests VALUES (?, 'diversify_' || ?1, ?)", INTERESTS)
    db.execute("INSERT INTO payloads VALUES (?, x'28b52ffd', 2911, 0)", (hashlib.sha256(b"").digest(),))
    snapshot = 0
    for n in range(1, sounds + 1):
        snapshot = add(db, n, Sound(n, newest, days), newest, days, snapshot)
    db.commit()
    db.execute("ANALYZE")
    db.close()


def add(db, n, sound, newest, days, snapshot):
    seen = ((newest + 1 - days) * DAY, (newest + 1) * DAY + 22_502)
    db.execute(
        "INSERT INTO sounds (clip_id, title, author, first_seen_at, last_seen_at) VALUES (?, ?, ?, ?, ?)",
        (sound.clip, sound.title, sound.author, *seen),
    )
    db.execute(
        "INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, tags, added_at)"
        " VALUES (?, ?, 'US', 'auto', '15 6 * * *', 'UTC', 86400, ?, '[]', ?)",
        (n, sound.clip, seen[0], seen[0]),
    )
    base = {key[0]: math.exp(sound.dice.uniform(4, 7.3)) for key in COUNTRIES + INTERESTS}
    for day in range(newest - days + 1, newest + 1):
        at = (day + 1) * DAY + 22_500
        fetch = [n, at, None, "skipped", "missed", None, None, at + 2]
        if not sound.unasked(day):
            snapshot += 1
            period = sound.period(day)
            fetch = [n, at, period, "stored", None, snapshot, at, at + 2]
            window(db, sound, n, day, at + 2, period, snapshot, base)
        db.execute(
            "INSERT INTO fetches (target_id, slot_at, period_days, outcome, reason, snapshot_id, claimed_at, settled_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            fetch,
        )
    db.executemany("INSERT INTO trend_index VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sound.index(newest))
    return snapshot


def window(db, sound, n, day, at, period, snapshot, base):
    hash_of = hashlib.sha256(b"").digest()
    db.execute(
        "INSERT INTO snapshots (id, target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at,"
        " step_seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (snapshot, n, period, hash_of, hash_of, at, at, DAY),
    )
    shown = range(max(day - period + 1, sound.first), day + 1)
    peak = max(sound.truth[d - sound.first] for d in shown)
    points = [(snapshot, d * DAY, round(sound.truth[d - sound.first] / peak, 2)) for d in shown]
    db.executemany("INSERT INTO trend_points VALUES (?, ?, ?)", points)

    def strongest(what, most):
        wave = lambda key: base[key] * (1 + 0.35 * math.sin(day / 25 + len(key) + int(key) % 7))
        return sorted(((key[0], round(wave(key[0]))) for key in what), key=lambda score: -score[1])[:most]

    for table, what, most in (("country_scores", COUNTRIES, 10), ("interest_scores", INTERESTS, 5)):
        rows = [(snapshot, place, key, score) for place, (key, score) in enumerate(strongest(what, most), 1)]
        db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
    if n % 3 == 0:
        db.executemany("INSERT INTO age_scores VALUES (?, ?, ?)", [(snapshot, 3, 61), (snapshot, 4, 28), (snapshot, 5, 11)])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sounds", type=int, default=200)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--program", default="target/dist/soundwatch")
    options.add_argument("--folder", default="target/bench/report", help="where database and report stay")
    options = options.parse_args()

    program = os.path.abspath(options.program)
    os.makedirs(options.folder, exist_ok=True)
    os.chdir(options.folder)
    for name in ("soundwatch.db", "soundwatch.db-wal", "soundwatch.db-shm"):
        if os.path.exists(name):
            os.remove(name)
    environment = {"SOUNDWATCH__DATABASE__URL": "sqlite:soundwatch.db", "PATH": os.environ["PATH"]}
    subprocess.run([program, "db", "migrate"], env=environment, check=True)
    fill("soundwatch.db", options.sounds, options.days)
    print(f"{options.sounds} sounds, {options.days} days: {os.path.getsize('soundwatch.db') / 1e6:.0f} MB of database")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "report", "-o", "report.html"], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{processor:.1f} s of processor time, {after.ru_maxrss / 1024:.0f} MiB of memory at most")


main()
