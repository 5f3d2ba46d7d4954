-- The tables of soundwatch. Times are unix seconds, UTC. NULL means: not known.

CREATE TABLE sounds (
    clip_id          TEXT PRIMARY KEY NOT NULL,
    song_id          TEXT,
    title            TEXT,
    author           TEXT,
    url_title        TEXT,
    link             TEXT,
    cover_url        TEXT,
    music_url        TEXT,
    duration_seconds BIGINT,
    first_seen_at    BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE countries (
    id   TEXT PRIMARY KEY NOT NULL,
    code TEXT,
    name TEXT
) WITHOUT ROWID;

CREATE TABLE interests (
    id    TEXT PRIMARY KEY NOT NULL,
    label TEXT,
    name  TEXT
) WITHOUT ROWID;

CREATE TABLE targets (
    id               INTEGER PRIMARY KEY,
    clip_id          TEXT NOT NULL,
    region           TEXT NOT NULL CHECK (length(region) = 2),
    period           TEXT NOT NULL CHECK (period IN ('7', '30', '120', 'auto')),
    schedule         TEXT NOT NULL,
    time_zone        TEXT NOT NULL,
    interval_seconds BIGINT NOT NULL CHECK (interval_seconds > 0),
    slots_from       BIGINT NOT NULL,
    tags             TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    note             TEXT,
    added_at         BIGINT NOT NULL,
    removed_at       BIGINT,
    UNIQUE (clip_id, region, period)
);

CREATE TABLE workers (
    id           TEXT PRIMARY KEY NOT NULL,
    host         TEXT NOT NULL,
    pid          BIGINT NOT NULL,
    version      TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE payloads (
    hash        BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    body        BLOB NOT NULL,
    size_bytes  BIGINT NOT NULL,
    received_at BIGINT NOT NULL
);

CREATE TABLE snapshots (
    id                 INTEGER PRIMARY KEY,
    target_id          BIGINT NOT NULL REFERENCES targets (id),
    period_days        BIGINT NOT NULL CHECK (period_days IN (7, 30, 120)),
    content_hash       BLOB NOT NULL CHECK (length(content_hash) = 32),
    payload_hash       BLOB NOT NULL REFERENCES payloads (hash),
    first_fetched_at   BIGINT NOT NULL,
    last_fetched_at    BIGINT NOT NULL,
    confirmations      BIGINT NOT NULL DEFAULT 0 CHECK (confirmations >= 0),
    step_seconds       BIGINT,
    country_code       TEXT,
    rank               BIGINT,
    rank_diff          BIGINT,
    on_list_times      BIGINT,
    promoted           BOOLEAN,
    is_commercial      BOOLEAN,
    is_search          BOOLEAN,
    cml_mid            TEXT,
    like_count         BIGINT,
    liked              BOOLEAN,
    disliked           BOOLEAN,
    popular_days       BIGINT,
    current_popularity BIGINT,
    extra              TEXT CHECK (extra IS NULL OR json_valid(extra))
);

CREATE INDEX snapshots_by_target ON snapshots (target_id, last_fetched_at, id);

CREATE TABLE fetches (
    id          INTEGER PRIMARY KEY,
    target_id   BIGINT NOT NULL REFERENCES targets (id),
    slot_at     BIGINT NOT NULL,
    slots       BIGINT NOT NULL DEFAULT 1 CHECK (slots >= 1),
    forced      BOOLEAN NOT NULL DEFAULT FALSE,
    period_days BIGINT CHECK (period_days IN (7, 30, 120)),
    outcome     TEXT CHECK (outcome IN ('stored', 'confirmed', 'no_data', 'rejected', 'failed', 'skipped')),
    reason      TEXT,
    snapshot_id BIGINT REFERENCES snapshots (id),
    worker_id   TEXT,
    claimed_at  BIGINT,
    settled_at  BIGINT,
    UNIQUE (target_id, slot_at),
    CHECK ((outcome IS NULL) = (settled_at IS NULL)),
    CHECK (outcome NOT IN ('rejected', 'failed', 'skipped') OR reason IS NOT NULL)
);

-- What is claimed or handed over and not yet settled: few rows, read at every start and tick.
CREATE INDEX fetches_unsettled ON fetches (worker_id) WHERE outcome IS NULL;
CREATE INDEX fetches_by_settled ON fetches (settled_at);

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    fetch_id     BIGINT NOT NULL REFERENCES fetches (id),
    n            BIGINT NOT NULL CHECK (n >= 1),
    state        TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'unknown', 'not_sent')),
    sent_at      BIGINT NOT NULL,
    settled_at   BIGINT,
    http_status  BIGINT,
    api_code     BIGINT,
    message      TEXT,
    request_id   TEXT,
    credits      BIGINT NOT NULL CHECK (credits >= 0),
    latency_ms   BIGINT,
    payload_hash BLOB REFERENCES payloads (hash),
    error        TEXT,
    UNIQUE (fetch_id, n),
    CHECK ((state = 'sent') = (settled_at IS NULL))
);

-- Credits spent by UTC day (days since 1970-01-01), kept in step with attempts in the same
-- transactions: the budget is checked without adding up a month of attempts each time.
CREATE TABLE credit_days (
    day     BIGINT PRIMARY KEY NOT NULL,
    credits BIGINT NOT NULL CHECK (credits >= 0)
);

CREATE TABLE trend_points (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id),
    time        BIGINT NOT NULL,
    value       DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (snapshot_id, time)
) WITHOUT ROWID;

CREATE TABLE country_scores (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id),
    position    BIGINT NOT NULL CHECK (position >= 1),
    country_id  TEXT NOT NULL REFERENCES countries (id),
    score       DOUBLE PRECISION,
    PRIMARY KEY (snapshot_id, position)
) WITHOUT ROWID;

CREATE TABLE interest_scores (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id),
    position    BIGINT NOT NULL CHECK (position >= 1),
    interest_id TEXT NOT NULL REFERENCES interests (id),
    score       DOUBLE PRECISION,
    PRIMARY KEY (snapshot_id, position)
) WITHOUT ROWID;

CREATE TABLE age_scores (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id),
    age_level   BIGINT NOT NULL,
    score       DOUBLE PRECISION,
    PRIMARY KEY (snapshot_id, age_level)
) WITHOUT ROWID;

CREATE TABLE related_items (
    snapshot_id BIGINT NOT NULL REFERENCES snapshots (id),
    position    BIGINT NOT NULL CHECK (position >= 1),
    item_id     TEXT NOT NULL,
    cover_url   TEXT,
    PRIMARY KEY (snapshot_id, position)
) WITHOUT ROWID;

CREATE TABLE trend_index (
    clip_id     TEXT NOT NULL,
    region      TEXT NOT NULL,
    day         BIGINT NOT NULL, -- days since 1970-01-01
    value       DOUBLE PRECISION NOT NULL,
    low         DOUBLE PRECISION NOT NULL,
    high        DOUBLE PRECISION NOT NULL,
    segment     BIGINT NOT NULL,
    provisional BOOLEAN NOT NULL,
    PRIMARY KEY (clip_id, region, day)
) WITHOUT ROWID;

CREATE TABLE key_pauses (
    key_fingerprint TEXT PRIMARY KEY NOT NULL,
    reason          TEXT NOT NULL,
    since           BIGINT NOT NULL,
    until           BIGINT NOT NULL,
    target_id       BIGINT
) WITHOUT ROWID;

-- Fields that the API page does not name, by JSON path: the service changed, and nothing was lost.
CREATE TABLE unknown_fields (
    path          TEXT PRIMARY KEY NOT NULL,
    answers       BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL
) WITHOUT ROWID;
