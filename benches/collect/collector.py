"""The other side of the benchmark: a collector as a good Python developer writes it by hand.

It asks with aiohttp, 32 requests in flight, and stores 100 answers a transaction into the same
normalized tables as soundwatch; it keeps no ledger, no payloads and no retries.

python collector.py [--uvloop] create DATABASE
python collector.py [--uvloop] collect DATABASE BASE_URL CLIP_IDS_FILE
"""

import asyncio
import pathlib
import sqlite3
import sys
import time

import aiohttp
import orjson

IN_FLIGHT = 32
BATCH = 100

TABLES = """
CREATE TABLE sounds (
    clip_id TEXT PRIMARY KEY, song_id TEXT, title TEXT, author TEXT, url_title TEXT, link TEXT, cover_url TEXT,
    music_url TEXT, duration_seconds BIGINT, first_seen_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL
);
CREATE TABLE countries (id TEXT PRIMARY KEY, code TEXT, name TEXT);
CREATE TABLE interests (id TEXT PRIMARY KEY, label TEXT, name TEXT);
CREATE TABLE snapshots (
    id BIGINT PRIMARY KEY, clip_id TEXT NOT NULL REFERENCES sounds (clip_id), region TEXT NOT NULL,
    period_days BIGINT NOT NULL, fetched_at BIGINT NOT NULL, country_code TEXT, rank BIGINT, rank_diff BIGINT,
    on_list_times BIGINT, promoted BOOLEAN, is_commercial BOOLEAN, is_search BOOLEAN, cml_mid TEXT, like_count BIGINT,
    liked BOOLEAN, disliked BOOLEAN, popular_days BIGINT, current_popularity BIGINT
);
CREATE INDEX snapshots_by_sound ON snapshots (clip_id, region, period_days, fetched_at);
CREATE TABLE trend_points (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id), time BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (snapshot_id, time)
);
CREATE TABLE country_scores (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id), position BIGINT NOT NULL,
    country_id TEXT NOT NULL REFERENCES countries (id), score DOUBLE PRECISION, PRIMARY KEY (snapshot_id, position)
);
CREATE TABLE interest_scores (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id), position BIGINT NOT NULL,
    interest_id TEXT NOT NULL REFERENCES interests (id), score DOUBLE PRECISION, PRIMARY KEY (snapshot_id, position)
);
"""


class Batch:
    """The rows of up to 100 answers. Only countries and interests not seen before are rows."""

    def __init__(self, known):
        self.known = known
        self.sounds, self.snapshots, self.points = [], [], []
        self.countries, self.interests, self.country_scores, self.interest_scores = [], [], [], []

    def add(self, number, clip_id, body):
        answer = orjson.loads(body)
        if answer["code"] != 0 or not answer["data"]:
            raise ValueError(f"{clip_id}: no data")
        data, now = answer["data"], int(time.time())
        sound = data["sound"]
        longevity = sound.get("longevity") or {}
        self.sounds.append((
            sound["clip_id"], sound["song_id"], sound["title"], sound["author"], sound["url_title"], sound["link"],
            sound["cover"], sound["music_url"], sound["duration"], now, now,
        ))
        self.snapshots.append((
            number, clip_id, "US", 7, now, sound["country_code"], sound["rank"], sound["rank_diff"],
            sound["on_list_times"], sound["promoted"], sound["if_cml"], sound["is_search"], sound.get("cml_mid"),
            data["like_count"], data["liked"], data["disliked"], longevity.get("popular_days"),
            longevity.get("current_popularity"),
        ))
        self.points += [(number, point["time"], float(point["value"])) for point in sound["trend"]]
        for position, entry in enumerate(sound["audience_countries"] or (), 1):
            country = entry["country_info"]
            if country["id"] not in self.known:
                self.known.add(country["id"])
                self.countries.append((country["id"], country["label"], country["value"]))
            self.country_scores.append((number, position, country["id"], float(entry["score"])))
        for position, entry in enumerate(sound["audience_interests"] or (), 1):
            interest = entry["interest_info"]
            if interest["id"] not in self.known:
                self.known.add(interest["id"])
                self.interests.append((interest["id"], interest["label"], interest["value"]))
            self.interest_scores.append((number, position, interest["id"], float(entry["score"])))

    def tables(self):
        return {
            "snapshots": self.snapshots, "trend_points": self.points, "country_scores": self.country_scores,
            "interest_scores": self.interest_scores,
        }


def upserts(placeholders):
    def values(count):
        return ", ".join(placeholders(n) for n in range(1, count + 1))

    return (
        f"""INSERT INTO sounds VALUES ({values(11)}) ON CONFLICT (clip_id) DO UPDATE SET
            song_id = coalesce(excluded.song_id, sounds.song_id), title = coalesce(excluded.title, sounds.title),
            author = coalesce(excluded.author, sounds.author), link = coalesce(excluded.link, sounds.link),
            url_title = coalesce(excluded.url_title, sounds.url_title),
            cover_url = coalesce(excluded.cover_url, sounds.cover_url),
            music_url = coalesce(excluded.music_url, sounds.music_url),
            duration_seconds = coalesce(excluded.duration_seconds, sounds.duration_seconds),
            last_seen_at = excluded.last_seen_at""",
        f"INSERT INTO countries VALUES ({values(3)}) ON CONFLICT DO NOTHING",
        f"INSERT INTO interests VALUES ({values(3)}) ON CONFLICT DO NOTHING",
    )


class Sqlite:
    def __init__(self, url):
        self.connection = sqlite3.connect(url.removeprefix("sqlite:"), check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.sounds, self.countries, self.interests = upserts(lambda n: "?")

    async def create(self):
        self.connection.executescript(TABLES)

    async def store(self, batch):
        # In a thread: SQLite lets go of the interpreter while it works, and answers go on coming.
        await asyncio.to_thread(self.store_now, batch)

    def store_now(self, batch):
        with self.connection:
            self.connection.executemany(self.sounds, batch.sounds)
            self.connection.executemany(self.countries, batch.countries)
            self.connection.executemany(self.interests, batch.interests)
            for table, rows in batch.tables().items():
                if rows:
                    places = ", ".join("?" * len(rows[0]))
                    self.connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)

    async def close(self):
        self.connection.close()


class Postgres:
    def __init__(self, url):
        import asyncpg  # a collector for SQLite alone would not pay for it either

        self.connect_to, self.connection = lambda: asyncpg.connect(url), None
        self.sounds, self.countries, self.interests = upserts(lambda n: f"${n}")

    async def connect(self):
        self.connection = self.connection or await self.connect_to()
        return self.connection

    async def create(self):
        await (await self.connect()).execute(TABLES)

    async def store(self, batch):
        connection = await self.connect()
        async with connection.transaction():
            await connection.executemany(self.sounds, batch.sounds)
            if batch.countries:
                await connection.executemany(self.countries, batch.countries)
            if batch.interests:
                await connection.executemany(self.interests, batch.interests)
            for table, rows in batch.tables().items():
                await connection.copy_records_to_table(table, records=rows)

    async def close(self):
        if self.connection:
            await self.connection.close()


async def collect(database, base_url, clip_ids):
    waiting = iter(enumerate(clip_ids, 1))
    answers = asyncio.Queue(maxsize=2 * BATCH)

    async def ask(session):
        for number, clip_id in waiting:
            query = {"clip_id": clip_id, "region": "US", "period": "7"}
            async with session.get("/v1/tiktok/trending/music/detail", params=query) as response:
                response.raise_for_status()
                await answers.put((number, clip_id, await response.read()))

    async def store():
        known, batch, left = set(), None, len(clip_ids)
        while left:
            number, clip_id, body = await answers.get()
            batch = batch or Batch(known)
            batch.add(number, clip_id, body)
            left -= 1
            if len(batch.snapshots) == BATCH or not left:
                await database.store(batch)
                batch = None

    headers = {"Authorization": "Bearer sk_live_bench"}
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(base_url, headers=headers, connector=connector) as session:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store())
            for _ in range(IN_FLIGHT):
                tasks.create_task(ask(session))


async def main(command, url, *rest):
    database = (Sqlite if url.startswith("sqlite:") else Postgres)(url)
    if command == "create":
        await database.create()
    else:
        base_url, file = rest
        start = time.monotonic()
        await collect(database, base_url, pathlib.Path(file).read_text().split())
        print(f"{time.monotonic() - start:.3f}")
    await database.close()


arguments = sys.argv[1:]
if arguments[0] == "--uvloop":
    import uvloop

    uvloop.run(main(*arguments[1:]))
else:
    asyncio.run(main(*arguments))
