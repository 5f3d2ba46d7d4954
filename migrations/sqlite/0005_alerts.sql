-- What a person should look at: a row for each time that it began, kept when it is over, so that a
-- restart neither repeats nor forgets, and several workers tell it once.
CREATE TABLE alerts (
    id           INTEGER PRIMARY KEY,
    kind         TEXT NOT NULL,
    -- Which one of its kind: a key's fingerprint, a day or month, a file, a machine; empty when there is only one.
    subject      TEXT NOT NULL,
    message      TEXT NOT NULL,
    targets      BIGINT,
    raised_at    BIGINT NOT NULL,
    -- When it last got worse: a further target came to it.
    grown_at     BIGINT NOT NULL,
    recovered_at BIGINT,
    -- What the webhook has still to be told.
    to_tell      TEXT CHECK (to_tell IN ('raised', 'grown', 'recovered')),
    told_at      BIGINT,
    -- When somebody last began to tell it, so that no other worker does meanwhile.
    telling_at   BIGINT
);

CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE recovered_at IS NULL;
