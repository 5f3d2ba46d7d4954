-- The view gaps as it was, but in a form that looks only at one sound where only one is asked for.
--
-- A gap is a run of days for which no daily window of the (clip, region) has a point. An answer is
-- expected to end with the day before it, so days count from the one before the first slot (or the
-- adding of the target) to the one before the newest slot. A target that only ever answers with
-- weekly windows promises no days.
-- The reason is that of the last fetch that could have filled the gap, or not_in_answers when one
-- that succeeded could have, or when none was due.
CREATE OR REPLACE VIEW gaps AS
WITH days AS (
    SELECT DISTINCT t.clip_id, t.region, p.time / 86400 AS day, 1 AS known, CAST(NULL AS BIGINT) AS newest_day
    FROM snapshots AS s
    JOIN targets AS t ON t.id = s.target_id
    JOIN trend_points AS p ON p.snapshot_id = s.id
    WHERE coalesce(s.step_seconds, 0) <= 86400
    UNION ALL
    -- The last day that nobody has waited for: only what precedes all known days matters.
    SELECT
        a.clip_id,
        a.region,
        min(CASE WHEN a.first_slot < a.added_at THEN a.added_at ELSE a.first_slot END) / 86400 - 2,
        0,
        max(a.newest_slot) / 86400
    FROM (
        SELECT
            t.clip_id,
            t.region,
            t.added_at,
            (SELECT min(f.slot_at) FROM fetches AS f WHERE f.target_id = t.id AND f.outcome IS NOT NULL) AS first_slot,
            (SELECT max(f.slot_at) FROM fetches AS f WHERE f.target_id = t.id AND f.outcome IS NOT NULL) AS newest_slot
        FROM targets AS t
        WHERE NOT EXISTS (SELECT 1 FROM snapshots AS s WHERE s.target_id = t.id)
            OR EXISTS (
                SELECT 1 FROM snapshots AS s
                WHERE s.target_id = t.id AND coalesce(s.step_seconds, 0) <= 86400
            )
    ) AS a
    WHERE a.first_slot IS NOT NULL
    GROUP BY a.clip_id, a.region
),
marked AS (
    SELECT
        clip_id,
        region,
        day,
        known,
        min(CASE WHEN known = 1 THEN day END) OVER (PARTITION BY clip_id, region) AS first_known,
        max(newest_day) OVER (PARTITION BY clip_id, region) AS newest_day
    FROM days
),
runs AS (
    SELECT
        clip_id,
        region,
        day + 1 AS first_day,
        coalesce(lead(day) OVER (PARTITION BY clip_id, region ORDER BY day), newest_day) - 1 AS last_day
    FROM marked
    WHERE known = 1 OR first_known IS NULL OR day < first_known
)
SELECT
    r.clip_id,
    r.region,
    (DATE '1970-01-01' + (r.first_day)::integer) AS first_day,
    (DATE '1970-01-01' + (r.last_day)::integer) AS last_day,
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
