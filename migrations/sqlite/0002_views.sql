-- The SQL contract: what people and dashboards query. Columns are only ever added.

CREATE VIEW trend_history AS
SELECT
    t.clip_id,
    o.title,
    o.author,
    t.region,
    s.period_days,
    date(p.time, 'unixepoch') AS day,
    p.value,
    datetime(s.first_fetched_at, 'unixepoch') AS fetched_at,
    datetime(s.last_fetched_at, 'unixepoch') AS last_fetched_at,
    s.id = (
        SELECT n.id
        FROM snapshots AS n
        WHERE n.target_id = s.target_id AND n.period_days = s.period_days
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    ) AS is_latest,
    s.id AS snapshot_id
FROM snapshots AS s
JOIN targets AS t ON t.id = s.target_id
JOIN trend_points AS p ON p.snapshot_id = s.id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

CREATE VIEW country_history AS
SELECT
    t.clip_id,
    o.title,
    o.author,
    t.region,
    s.period_days,
    datetime(s.first_fetched_at, 'unixepoch') AS fetched_at,
    c.code AS country_code,
    c.name AS country,
    x.position,
    x.score,
    s.id = (
        SELECT n.id
        FROM snapshots AS n
        WHERE n.target_id = s.target_id AND n.period_days = s.period_days
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    ) AS is_latest
FROM snapshots AS s
JOIN targets AS t ON t.id = s.target_id
JOIN country_scores AS x ON x.snapshot_id = s.id
LEFT JOIN countries AS c ON c.id = x.country_id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

CREATE VIEW interest_history AS
SELECT
    t.clip_id,
    o.title,
    o.author,
    t.region,
    s.period_days,
    datetime(s.first_fetched_at, 'unixepoch') AS fetched_at,
    x.interest_id,
    i.name AS interest,
    x.position,
    x.score,
    s.id = (
        SELECT n.id
        FROM snapshots AS n
        WHERE n.target_id = s.target_id AND n.period_days = s.period_days
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    ) AS is_latest
FROM snapshots AS s
JOIN targets AS t ON t.id = s.target_id
JOIN interest_scores AS x ON x.snapshot_id = s.id
LEFT JOIN interests AS i ON i.id = x.interest_id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

CREATE VIEW age_history AS
SELECT
    t.clip_id,
    o.title,
    o.author,
    t.region,
    s.period_days,
    datetime(s.first_fetched_at, 'unixepoch') AS fetched_at,
    x.age_level,
    x.score,
    s.id = (
        SELECT n.id
        FROM snapshots AS n
        WHERE n.target_id = s.target_id AND n.period_days = s.period_days
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    ) AS is_latest
FROM snapshots AS s
JOIN targets AS t ON t.id = s.target_id
JOIN age_scores AS x ON x.snapshot_id = s.id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

CREATE VIEW sound_index AS
SELECT
    x.clip_id,
    o.title,
    o.author,
    x.region,
    date(x.day * 86400, 'unixepoch') AS day,
    x.value,
    x.low,
    x.high,
    x.segment,
    x.provisional
FROM trend_index AS x
LEFT JOIN sounds AS o ON o.clip_id = x.clip_id;

CREATE VIEW fetch_log AS
SELECT
    t.clip_id,
    o.title,
    t.region,
    f.period_days,
    datetime(f.slot_at, 'unixepoch') AS slot_at,
    f.outcome,
    f.reason,
    (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id) AS attempts,
    (SELECT CAST(coalesce(sum(a.credits), 0) AS BIGINT) FROM attempts AS a WHERE a.fetch_id = f.id) AS credits,
    (SELECT a.http_status FROM attempts AS a WHERE a.fetch_id = f.id ORDER BY a.n DESC LIMIT 1) AS http_status,
    (SELECT a.api_code FROM attempts AS a WHERE a.fetch_id = f.id ORDER BY a.n DESC LIMIT 1) AS api_code,
    datetime(f.settled_at, 'unixepoch') AS settled_at,
    f.slots
FROM fetches AS f
JOIN targets AS t ON t.id = f.target_id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

CREATE VIEW credits_by_day AS
SELECT
    date(a.sent_at / 86400 * 86400, 'unixepoch') AS day,
    count(*) AS attempts,
    CAST(sum(a.credits) AS BIGINT) AS credits
FROM attempts AS a
WHERE a.state <> 'not_sent'
GROUP BY a.sent_at / 86400;

-- A gap is a run of days for which no daily window of the (clip, region) has a point. An answer is
-- expected to end with the day before it, so days count from the one before the first slot (or the
-- adding of the target) to the one before the newest slot. A target that only ever answers with
-- weekly windows promises no days.
-- The reason is that of the last fetch that could have filled the gap, or not_in_answers when one
-- that succeeded could have, or when none was due.
CREATE VIEW gaps AS
WITH asked AS (
    SELECT
        t.clip_id,
        t.region,
        min(CASE WHEN f.first_slot < t.added_at THEN t.added_at ELSE f.first_slot END) / 86400 AS first_day,
        max(f.newest_slot) / 86400 AS newest_day
    FROM targets AS t
    JOIN (
        SELECT target_id, min(slot_at) AS first_slot, max(slot_at) AS newest_slot
        FROM fetches
        WHERE outcome IS NOT NULL
        GROUP BY target_id
    ) AS f ON f.target_id = t.id
    WHERE NOT EXISTS (SELECT 1 FROM snapshots AS s WHERE s.target_id = t.id)
        OR EXISTS (
            SELECT 1 FROM snapshots AS s
            WHERE s.target_id = t.id AND coalesce(s.step_seconds, 0) <= 86400
        )
    GROUP BY t.clip_id, t.region
),
days AS (
    SELECT DISTINCT t.clip_id, t.region, p.time / 86400 AS day, 1 AS known
    FROM snapshots AS s
    JOIN targets AS t ON t.id = s.target_id
    JOIN trend_points AS p ON p.snapshot_id = s.id
    WHERE coalesce(s.step_seconds, 0) <= 86400
    UNION ALL
    -- The last day that nobody has waited for: only what precedes all known days matters.
    SELECT clip_id, region, first_day - 2, 0 FROM asked
),
marked AS (
    SELECT
        clip_id,
        region,
        day,
        known,
        min(CASE WHEN known = 1 THEN day END) OVER (PARTITION BY clip_id, region) AS first_known
    FROM days
),
bounds AS (
    SELECT clip_id, region, day, lead(day) OVER (PARTITION BY clip_id, region ORDER BY day) AS next_day
    FROM marked
    WHERE known = 1 OR first_known IS NULL OR day < first_known
),
runs AS (
    SELECT
        b.clip_id,
        b.region,
        b.day + 1 AS first_day,
        coalesce(b.next_day, a.newest_day) - 1 AS last_day
    FROM bounds AS b
    LEFT JOIN asked AS a ON a.clip_id = b.clip_id AND a.region = b.region
)
SELECT
    r.clip_id,
    r.region,
    date(r.first_day * 86400, 'unixepoch') AS first_day,
    date(r.last_day * 86400, 'unixepoch') AS last_day,
    r.last_day - r.first_day + 1 AS days,
    coalesce(
        (
            SELECT CASE
                WHEN f.outcome IN ('stored', 'confirmed') THEN 'not_in_answers'
                ELSE coalesce(f.reason, f.outcome)
            END
            FROM targets AS t
            JOIN fetches AS f ON f.target_id = t.id
            LEFT JOIN snapshots AS s ON s.id = f.snapshot_id
            WHERE t.clip_id = r.clip_id
                AND t.region = r.region
                AND f.outcome IS NOT NULL
                AND coalesce(s.step_seconds, 0) <= 86400
                AND f.slot_at >= (r.first_day + 1) * 86400
                AND f.slot_at < (r.last_day + 1 + coalesce(f.period_days, 7)) * 86400
            ORDER BY CASE WHEN f.outcome IN ('stored', 'confirmed') THEN 0 ELSE 1 END, f.slot_at DESC
            LIMIT 1
        ),
        'not_in_answers'
    ) AS reason
FROM runs AS r
WHERE r.last_day >= r.first_day;

-- A target that was not asked yet, or only skipped, is new. Answers grow stale when their newest day
-- stops advancing: more than three days before the answer, or three points where these are further
-- apart (a weekly window always ends days before it is asked).
CREATE VIEW freshness AS
WITH target_facts AS (
    SELECT
        t.clip_id,
        t.region,
        t.period,
        t.interval_seconds,
        (
            SELECT f.outcome
            FROM fetches AS f
            WHERE f.target_id = t.id AND f.outcome <> 'skipped'
            ORDER BY f.slot_at DESC
            LIMIT 1
        ) AS last_outcome,
        s.last_fetched_at AS last_success,
        CASE WHEN s.step_seconds > 86400 THEN s.step_seconds / 86400 ELSE 1 END AS step_days,
        (SELECT max(p.time) FROM trend_points AS p WHERE p.snapshot_id = s.id) AS newest_time
    FROM targets AS t
    LEFT JOIN snapshots AS s ON s.id = (
        SELECT n.id
        FROM snapshots AS n
        WHERE n.target_id = t.id
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    )
    WHERE t.removed_at IS NULL
)
SELECT
    t.clip_id,
    o.title,
    t.region,
    t.period,
    date(t.newest_time, 'unixepoch') AS newest_day,
    datetime(t.last_success, 'unixepoch') AS last_success_at,
    CAST((CAST(strftime('%s', 'now') AS BIGINT) - t.last_success) / 3600.0 AS DOUBLE PRECISION) AS age_hours,
    CASE
        WHEN t.last_outcome IS NULL THEN 'new'
        WHEN t.last_outcome IN ('failed', 'rejected') THEN 'failing'
        WHEN t.last_outcome = 'no_data' THEN 'no_data'
        WHEN t.last_success / 86400 - t.newest_time / 86400 > 3 * t.step_days THEN 'stale'
        WHEN CAST(strftime('%s', 'now') AS BIGINT) - t.last_success > 2 * t.interval_seconds THEN 'late'
        ELSE 'fresh'
    END AS state
FROM target_facts AS t
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;
