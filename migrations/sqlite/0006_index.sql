-- The index: which series it is to be computed for, how well their windows fit together, and why a
-- period was chosen.

-- Series that have got windows, or a new settle lag, since their index was computed.
CREATE TABLE index_due (
    clip_id   TEXT NOT NULL,
    region    TEXT NOT NULL,
    marked_at BIGINT NOT NULL,
    PRIMARY KEY (clip_id, region)
) WITHOUT ROWID;

INSERT INTO index_due (clip_id, region, marked_at)
SELECT DISTINCT t.clip_id, t.region, 0
FROM targets AS t
JOIN snapshots AS s ON s.target_id = t.id;

-- What the index of a series was computed from. Pairs and violations are those of windows that follow
-- each other, by the settle lag that is tried.
CREATE TABLE index_state (
    clip_id        TEXT NOT NULL,
    region         TEXT NOT NULL,
    settle_lag     BIGINT NOT NULL,
    windows        BIGINT NOT NULL,
    unusable       BIGINT NOT NULL,
    observations   BIGINT NOT NULL,
    restated       BIGINT NOT NULL,
    contradictions BIGINT NOT NULL,
    half_unit      DOUBLE PRECISION NOT NULL,
    pairs_0        BIGINT NOT NULL,
    pairs_1        BIGINT NOT NULL,
    pairs_2        BIGINT NOT NULL,
    pairs_3        BIGINT NOT NULL,
    pairs_4        BIGINT NOT NULL,
    violations_0   BIGINT NOT NULL,
    violations_1   BIGINT NOT NULL,
    violations_2   BIGINT NOT NULL,
    violations_3   BIGINT NOT NULL,
    violations_4   BIGINT NOT NULL,
    PRIMARY KEY (clip_id, region)
) WITHOUT ROWID;

-- The sums of pairs and violations of all series: they tell at which age a day is settled.
CREATE TABLE index_lags (
    lag        BIGINT PRIMARY KEY NOT NULL,
    pairs      BIGINT NOT NULL,
    violations BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO index_lags (lag, pairs, violations) VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0);

ALTER TABLE fetches ADD COLUMN period_reason TEXT;

DROP VIEW fetch_log;

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
    f.slots,
    f.period_reason
FROM fetches AS f
JOIN targets AS t ON t.id = f.target_id
LEFT JOIN sounds AS o ON o.clip_id = t.clip_id;

DROP VIEW sound_index;

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
    x.provisional,
    CASE WHEN i.half_unit > 0.5 THEN 'inconsistent' WHEN i.contradictions > 0 THEN 'bounds_suspect' END AS doubt
FROM trend_index AS x
LEFT JOIN index_state AS i ON i.clip_id = x.clip_id AND i.region = x.region
LEFT JOIN sounds AS o ON o.clip_id = x.clip_id;
