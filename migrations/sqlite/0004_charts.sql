-- The API's charts: its lists of the sounds that trend in a region. One row of chart_fetches is one
-- reading of a chart, one of chart_requests a request for one of its pages; both are to each other as
-- fetches and attempts are.
CREATE TABLE chart_fetches (
    id             INTEGER PRIMARY KEY,
    region         TEXT NOT NULL CHECK (length(region) = 2),
    period         BIGINT NOT NULL CHECK (period IN (7, 30, 120)),
    new_to_top_100 BOOLEAN NOT NULL,
    commercial     BOOLEAN NOT NULL,
    slot_at        BIGINT NOT NULL,
    forced         BOOLEAN NOT NULL,
    pages          BIGINT NOT NULL CHECK (pages >= 1),
    pages_read     BIGINT NOT NULL DEFAULT 0 CHECK (pages_read >= 0),
    outcome        TEXT CHECK (outcome IN ('stored', 'no_data', 'rejected', 'failed', 'skipped')),
    reason         TEXT,
    worker_id      TEXT,
    claimed_at     BIGINT,
    settled_at     BIGINT,
    UNIQUE (region, period, new_to_top_100, commercial, slot_at),
    CHECK ((outcome IS NULL) = (settled_at IS NULL)),
    CHECK (outcome NOT IN ('rejected', 'failed', 'skipped') OR reason IS NOT NULL)
);

CREATE INDEX chart_fetches_unsettled ON chart_fetches (worker_id) WHERE outcome IS NULL;

CREATE TABLE chart_requests (
    id             INTEGER PRIMARY KEY,
    chart_fetch_id BIGINT NOT NULL REFERENCES chart_fetches (id),
    page           BIGINT NOT NULL CHECK (page >= 1),
    n              BIGINT NOT NULL CHECK (n >= 1),
    state          TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'unknown', 'not_sent')),
    sent_at        BIGINT NOT NULL,
    settled_at     BIGINT,
    http_status    BIGINT,
    api_code       BIGINT,
    message        TEXT,
    request_id     TEXT,
    credits        BIGINT NOT NULL CHECK (credits >= 0),
    latency_ms     BIGINT,
    payload_hash   BLOB REFERENCES payloads (hash),
    error          TEXT,
    UNIQUE (chart_fetch_id, page, n),
    CHECK ((state = 'sent') = (settled_at IS NULL))
);

-- Where sounds stood, as the pages of one reading said.
CREATE TABLE chart_entries (
    chart_fetch_id BIGINT NOT NULL REFERENCES chart_fetches (id),
    position       BIGINT NOT NULL CHECK (position >= 1),
    region         TEXT NOT NULL,
    period         BIGINT NOT NULL,
    seen_at        BIGINT NOT NULL,
    rank           BIGINT,
    rank_diff      BIGINT,
    rank_diff_type BIGINT,
    clip_id        TEXT NOT NULL,
    PRIMARY KEY (chart_fetch_id, clip_id)
) WITHOUT ROWID;

CREATE INDEX chart_entries_by_clip ON chart_entries (clip_id, region, seen_at);

CREATE VIEW chart_history AS
SELECT
    e.region,
    e.period AS period_days,
    datetime(e.seen_at, 'unixepoch') AS seen_at,
    e.rank,
    e.rank_diff,
    e.rank_diff_type,
    e.clip_id,
    o.title,
    o.author,
    f.new_to_top_100,
    f.commercial,
    e.position
FROM chart_entries AS e
JOIN chart_fetches AS f ON f.id = e.chart_fetch_id
LEFT JOIN sounds AS o ON o.clip_id = e.clip_id;

-- Requests for pages of charts cost credits too.
DROP VIEW credits_by_day;

CREATE VIEW credits_by_day AS
SELECT
    date(a.day_number * 86400, 'unixepoch') AS day,
    count(*) AS attempts,
    CAST(sum(a.credits) AS BIGINT) AS credits
FROM (
    SELECT sent_at / 86400 AS day_number, state, credits FROM attempts
    UNION ALL
    SELECT sent_at / 86400 AS day_number, state, credits FROM chart_requests
) AS a
WHERE a.state <> 'not_sent'
GROUP BY a.day_number;
