"""Fills a database by plain SQL with what collecting once a day leaves behind: millions of rows in minutes.

Rows lie in the file as a collector writes them, day by day.
"""

import dataclasses

REGIONS = ["US", "GB", "LV", "BR"]
SLOT = 22_500  # 06:15


@dataclasses.dataclass
class History:
    """Sounds in 4 markets, asked once a day; half of the targets with the one window, half with the other."""

    clips: int
    days: int
    windows: tuple[int, int]
    first_day: int = 20_454  # 2026-01-01

    @property
    def targets(self):
        return self.clips * len(REGIONS)

    @property
    def points(self):
        return self.targets // 2 * self.days * sum(self.windows)

    def clip_ids(self):
        return [str(7350000000000000000 + 7919 * n) for n in range(self.clips)]


def series(backend, name, first, last):
    """A table `name (n)` of whole numbers."""
    if backend == "sqlite":
        return (f"(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last})"
                f" SELECT n FROM s) AS {name}")
    return f"(SELECT CAST(n AS BIGINT) AS n FROM generate_series({first}, {last}) AS g (n)) AS {name}"


def zeros(backend, length):
    return f"x'{'00' * length}'" if backend == "sqlite" else f"'\\x{'00' * length}'::bytea"


def statements(backend, history):
    """All rows, in the order of their references. Window lengths follow from the target's number."""
    targets, days, first_day = history.targets, history.days, history.first_day
    short, long = history.windows

    def rows(name, first, last):
        return series(backend, name, first, last)

    clip = "CAST(7350000000000000000 + 7919 * ((t.n - 1) / 4) AS TEXT)"
    region = "CASE (t.n - 1) % 4 " + "".join(f"WHEN {i} THEN '{r}' " for i, r in enumerate(REGIONS)) + "END"
    period = f"CASE WHEN t.n % 8 < 4 THEN {short} ELSE {long} END"
    snapshot = f"(d.n * {targets} + t.n)"
    at = f"(({first_day} + d.n) * 86400 + {SLOT})"
    hash = zeros(backend, 32)
    each_target, each_day = rows("t", 1, targets), rows("d", 0, days - 1)
    failed = "(t.n + d.n) % 997 = 0"
    value = "CAST((t.n * 7919 + ({first} + d.n - k.n) * 104729 % 977 + d.n % 13) % 101 AS DOUBLE PRECISION) / 100"
    inserts = [
        f"""INSERT INTO sounds (clip_id, title, author, first_seen_at, last_seen_at)
            SELECT {clip}, 'Sound ' || ((t.n - 1) / 4), 'Author ' || (t.n % 97), 0, 0
            FROM {each_target} WHERE t.n % 4 = 1""",
        f"""INSERT INTO countries (id, code, name)
            SELECT CAST(t.n AS TEXT), 'C' || t.n, 'Country ' || t.n FROM {rows('t', 1, 20)}""",
        f"""INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, added_at)
            SELECT t.n, {clip}, {region}, CAST({period} AS TEXT), '15 6 * * *', 'UTC', 86400,
                {first_day} * 86400, {first_day} * 86400 FROM {each_target}""",
        f"INSERT INTO payloads (hash, body, size_bytes, received_at) VALUES ({hash}, {hash}, 1, 0)",
        f"""INSERT INTO snapshots (id, target_id, period_days, content_hash, payload_hash, first_fetched_at,
                last_fetched_at, step_seconds)
            SELECT {snapshot}, t.n, {period}, {hash}, {hash}, {at}, {at}, 86400
            FROM {each_day} CROSS JOIN {each_target} WHERE TRUE ORDER BY 1""",
        f"""INSERT INTO trend_points (snapshot_id, time, value)
            SELECT {snapshot}, ({first_day} + d.n - k.n) * 86400, {value.format(first=first_day)}
            FROM {each_day} CROSS JOIN {each_target} CROSS JOIN {rows('k', 1, max(history.windows))}
            WHERE k.n <= {period} ORDER BY 1, 2""",
        f"""INSERT INTO country_scores (snapshot_id, position, country_id, score)
            SELECT {snapshot}, k.n, CAST(1 + (t.n + k.n + d.n / 30) % 20 AS TEXT), 1500 - 100 * k.n - d.n % 7
            FROM {each_day} CROSS JOIN {each_target} CROSS JOIN {rows('k', 1, 5)} WHERE TRUE ORDER BY 1, 2""",
        f"""INSERT INTO age_scores (snapshot_id, age_level, score)
            SELECT {snapshot}, 2 + k.n, 20 * k.n - d.n % 9
            FROM {each_day} CROSS JOIN {each_target} CROSS JOIN {rows('k', 1, 3)} WHERE TRUE ORDER BY 1, 2""",
        f"""INSERT INTO fetches (id, target_id, slot_at, period_days, outcome, reason, snapshot_id, settled_at)
            SELECT {snapshot}, t.n, {at}, {period},
                CASE WHEN {failed} THEN 'failed' ELSE 'stored' END, CASE WHEN {failed} THEN 'http' END,
                CASE WHEN NOT {failed} THEN {snapshot} END, {at} + 1
            FROM {each_day} CROSS JOIN {each_target} WHERE TRUE ORDER BY 1""",
        f"""INSERT INTO attempts (id, fetch_id, n, state, sent_at, settled_at, http_status, api_code, credits)
            SELECT {snapshot}, {snapshot}, 1, 'answered', {at}, {at} + 1, 200, 0, 2
            FROM {each_day} CROSS JOIN {each_target} WHERE TRUE ORDER BY 1""",
        f"""INSERT INTO credit_days (day, credits)
            SELECT {first_day} + d.n, {2 * targets} FROM {each_day}""",
        f"""INSERT INTO trend_index (clip_id, region, day, value, low, high, segment, provisional)
            SELECT {clip}, {region}, {first_day} - 7 + d.n,
                CAST((t.n * 7919 + d.n * 31) % 1000 AS DOUBLE PRECISION) / 10,
                CAST((t.n * 7919 + d.n * 31) % 1000 AS DOUBLE PRECISION) / 10 - 0.5,
                CAST((t.n * 7919 + d.n * 31) % 1000 AS DOUBLE PRECISION) / 10 + 0.5, 1, d.n > {days} + 3
            FROM {rows('d', 0, days + 6)} CROSS JOIN {each_target} WHERE TRUE""",
        f"""INSERT INTO index_state (clip_id, region, settle_lag, windows, unusable, observations, restated, contradictions,
                half_unit, pairs_0, pairs_1, pairs_2, pairs_3, pairs_4,
                violations_0, violations_1, violations_2, violations_3, violations_4,
                newest_day, newest_value, peak_day, change_rank)
            SELECT {clip}, {region}, 1, {days}, 0, {days}, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                {first_day} + {days} - 1, CAST(t.n % 1000 AS DOUBLE PRECISION) / 10, {first_day} + t.n % {days},
                1e9 + t.n % 1000 FROM {each_target} WHERE TRUE""",
    ]
    if backend == "sqlite":
        return inserts
    # Postgres would look up each reference of each row, which takes most of the time; the rows are right.
    # It gathers statistics and cleans up by itself, but not at once.
    return ["SET session_replication_role = replica;" + insert for insert in inserts] + ["VACUUM ANALYZE"]
