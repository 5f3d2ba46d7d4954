-- A few days of a small collection, for the queries of docs/sql.md. Runs on both databases.
-- Day 20487 is 2026-02-03; slots are at 06:15 UTC.

INSERT INTO sounds (clip_id, song_id, title, author, duration_seconds, first_seen_at, last_seen_at) VALUES
    ('6703723351497508865', '6703723270476138498', 'New Sun', 'Chihei Hatakeyama', 60, 20459 * 86400 + 22501, 20487 * 86400 + 22501),
    ('7326640926458743557', NULL, 'Night Drive', 'Kilo', 15, 20487 * 86400 + 22502, 20487 * 86400 + 22502),
    ('7011536772089924609', NULL, 'Paper Boats', 'Ida', 30, 20484 * 86400 + 22503, 20484 * 86400 + 22503),
    ('6912345678901234567', NULL, 'Quiet Rain', 'Ø', 44, 20483 * 86400 + 22504, 20487 * 86400 + 22504);

INSERT INTO countries (id, code, name) VALUES
    ('458258', 'LV', 'Latvia'), ('3202326', 'HR', 'Croatia'), ('597427', 'LT', 'Lithuania'), ('732800', 'BG', 'Bulgaria');
INSERT INTO interests (id, label, name) VALUES
    ('10004', 'diversify_10004', 'Scripted Drama'), ('10073', 'diversify_10073', 'Selfies');

INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, tags, note, added_at) VALUES
    (1, '6703723351497508865', 'US', '7', '15 6 * * *', 'UTC', 86400, 20459 * 86400, '["ambient"]', 'New Sun', 20459 * 86400),
    (2, '6703723351497508865', 'LV', '7', '15 6 * * *', 'UTC', 86400, 20487 * 86400, '["ambient"]', NULL, 20487 * 86400),
    (3, '7326640926458743557', 'US', '7', '15 6 * * *', 'UTC', 86400, 20486 * 86400, '[]', NULL, 20486 * 86400),
    (4, '7326640926458743557', 'US', '120', '15 6 * * 1', 'UTC', 604800, 20487 * 86400, '[]', NULL, 20487 * 86400),
    (5, '7011536772089924609', 'US', '7', '15 6 * * *', 'UTC', 86400, 20484 * 86400, '[]', NULL, 20484 * 86400),
    (6, '6912345678901234567', 'US', '7', '15 6 * * *', 'UTC', 86400, 20483 * 86400, '[]', NULL, 20483 * 86400),
    (7, '7100000000000000007', 'US', '7', '15 6 * * *', 'UTC', 86400, 20486 * 86400, '[]', NULL, 20486 * 86400),
    (8, '7100000000000000008', 'US', '7', '15 6 * * *', 'UTC', 86400, 20487 * 86400, '[]', NULL, 20487 * 86400);

INSERT INTO payloads (hash, body, size_bytes, received_at)
SELECT unhex(x.h), unhex('28b52ffd'), 2911, 20487 * 86400 + 22501
FROM (
    SELECT '1100000000000000000000000000000000000000000000000000000000000000' AS h
    UNION ALL SELECT '1200000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '1300000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '2100000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '3100000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '4100000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '5100000000000000000000000000000000000000000000000000000000000000'
    UNION ALL SELECT '6100000000000000000000000000000000000000000000000000000000000000'
) AS x;

INSERT INTO snapshots (id, target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at, confirmations, step_seconds, country_code)
SELECT x.id, x.target_id, x.period_days, unhex(x.h), unhex(x.h), x.first_at, x.last_at, x.confirmations, x.step, x.region
FROM (
    SELECT 1 AS id, 1 AS target_id, 7 AS period_days, '1100000000000000000000000000000000000000000000000000000000000000' AS h,
        20459 * 86400 + 22501 AS first_at, 20459 * 86400 + 22501 AS last_at, 0 AS confirmations, 86400 AS step, 'US' AS region
    UNION ALL SELECT 2, 1, 7, '1200000000000000000000000000000000000000000000000000000000000000', 20486 * 86400 + 22501, 20486 * 86400 + 22501, 0, 86400, 'US'
    UNION ALL SELECT 3, 1, 7, '1300000000000000000000000000000000000000000000000000000000000000', 20487 * 86400 + 22501, 20487 * 86400 + 22501, 0, 86400, 'US'
    UNION ALL SELECT 4, 2, 7, '2100000000000000000000000000000000000000000000000000000000000000', 20487 * 86400 + 22502, 20487 * 86400 + 22502, 0, 86400, 'LV'
    UNION ALL SELECT 5, 3, 7, '3100000000000000000000000000000000000000000000000000000000000000', 20487 * 86400 + 22502, 20487 * 86400 + 22502, 0, 86400, 'US'
    UNION ALL SELECT 6, 4, 120, '4100000000000000000000000000000000000000000000000000000000000000', 20487 * 86400 + 22503, 20487 * 86400 + 22503, 0, 604800, 'US'
    UNION ALL SELECT 7, 5, 7, '5100000000000000000000000000000000000000000000000000000000000000', 20484 * 86400 + 22503, 20484 * 86400 + 22503, 0, 86400, 'US'
    UNION ALL SELECT 8, 6, 7, '6100000000000000000000000000000000000000000000000000000000000000', 20483 * 86400 + 22504, 20487 * 86400 + 22504, 4, 86400, 'US'
) AS x;

INSERT INTO trend_points (snapshot_id, time, value) VALUES
    (1, 20452 * 86400, 0.7), (1, 20453 * 86400, 0.8), (1, 20454 * 86400, 1), (1, 20455 * 86400, 0.9),
    (1, 20456 * 86400, 0.6), (1, 20457 * 86400, 0.5), (1, 20458 * 86400, 0.5),
    (2, 20479 * 86400, 0.22), (2, 20480 * 86400, 0.17), (2, 20481 * 86400, 0.14), (2, 20482 * 86400, 0.86),
    (2, 20483 * 86400, 0.83), (2, 20484 * 86400, 0.28), (2, 20485 * 86400, 1),
    (3, 20480 * 86400, 0.06), (3, 20481 * 86400, 0.05), (3, 20482 * 86400, 0.31), (3, 20483 * 86400, 0.3),
    (3, 20484 * 86400, 0.1), (3, 20485 * 86400, 0.36), (3, 20486 * 86400, 1),
    (4, 20480 * 86400, 1), (4, 20481 * 86400, 0.8), (4, 20482 * 86400, 0.8), (4, 20483 * 86400, 0.7),
    (4, 20484 * 86400, 0.4), (4, 20485 * 86400, 0.4), (4, 20486 * 86400, 0.3),
    (5, 20480 * 86400, 0.4), (5, 20481 * 86400, 0.4), (5, 20482 * 86400, 0.4), (5, 20483 * 86400, 0.5),
    (5, 20484 * 86400, 0.9), (5, 20485 * 86400, 1), (5, 20486 * 86400, 0.8),
    (6, 20464 * 86400, 0.2), (6, 20471 * 86400, 0.4), (6, 20478 * 86400, 1),
    (7, 20477 * 86400, 1), (7, 20478 * 86400, 0.9), (7, 20479 * 86400, 0.6), (7, 20480 * 86400, 0.5),
    (7, 20481 * 86400, 0.4), (7, 20482 * 86400, 0.4), (7, 20483 * 86400, 0.2),
    (8, 20475 * 86400, 0.8), (8, 20476 * 86400, 1), (8, 20477 * 86400, 0.7), (8, 20478 * 86400, 0.5),
    (8, 20479 * 86400, 0.5), (8, 20480 * 86400, 0.3), (8, 20481 * 86400, 0.2);

INSERT INTO country_scores (snapshot_id, position, country_id, score) VALUES
    (1, 1, '597427', 1310), (1, 2, '458258', 980), (1, 3, '732800', 800),
    (2, 1, '458258', 1404), (2, 2, '3202326', 1051), (2, 3, '597427', 950),
    (3, 1, '458258', 1426), (3, 2, '3202326', 1050), (3, 3, '597427', 933), (3, 4, '732800', 792);
INSERT INTO interest_scores (snapshot_id, position, interest_id, score) VALUES (3, 1, '10004', 1186), (3, 2, '10073', 215);
INSERT INTO age_scores (snapshot_id, age_level, score) VALUES (5, 3, 61), (5, 4, 28), (5, 5, 11);

INSERT INTO fetches (id, target_id, slot_at, slots, period_days, outcome, reason, snapshot_id, claimed_at, settled_at) VALUES
    (1, 1, 20459 * 86400 + 22500, 1, 7, 'stored', NULL, 1, 20459 * 86400 + 22500, 20459 * 86400 + 22501),
    (2, 1, 20485 * 86400 + 22500, 26, NULL, 'skipped', 'missed', NULL, NULL, 20486 * 86400 + 22000),
    (3, 1, 20486 * 86400 + 22500, 1, 7, 'stored', NULL, 2, 20486 * 86400 + 22500, 20486 * 86400 + 22501),
    (4, 1, 20487 * 86400 + 22500, 1, 7, 'stored', NULL, 3, 20487 * 86400 + 22500, 20487 * 86400 + 22501),
    (5, 2, 20487 * 86400 + 22500, 1, 7, 'stored', NULL, 4, 20487 * 86400 + 22500, 20487 * 86400 + 22502),
    (6, 3, 20486 * 86400 + 22500, 1, 7, 'failed', 'timeout', NULL, 20486 * 86400 + 22500, 20486 * 86400 + 22595),
    (7, 3, 20487 * 86400 + 22500, 1, 7, 'stored', NULL, 5, 20487 * 86400 + 22500, 20487 * 86400 + 22502),
    (8, 4, 20487 * 86400 + 22500, 1, 120, 'stored', NULL, 6, 20487 * 86400 + 22500, 20487 * 86400 + 22503),
    (9, 5, 20484 * 86400 + 22500, 1, 7, 'stored', NULL, 7, 20484 * 86400 + 22500, 20484 * 86400 + 22503),
    (10, 5, 20485 * 86400 + 22500, 1, 7, 'failed', 'server_error', NULL, 20485 * 86400 + 22500, 20485 * 86400 + 22504),
    (11, 5, 20486 * 86400 + 22500, 1, 7, 'failed', 'server_error', NULL, 20486 * 86400 + 22500, 20486 * 86400 + 22504),
    (12, 5, 20487 * 86400 + 22500, 1, 7, 'rejected', 'not_json', NULL, 20487 * 86400 + 22500, 20487 * 86400 + 22503),
    (13, 6, 20483 * 86400 + 22500, 1, 7, 'stored', NULL, 8, 20483 * 86400 + 22500, 20483 * 86400 + 22504),
    (14, 6, 20484 * 86400 + 22500, 1, 7, 'confirmed', NULL, 8, 20484 * 86400 + 22500, 20484 * 86400 + 22504),
    (15, 6, 20485 * 86400 + 22500, 1, 7, 'confirmed', NULL, 8, 20485 * 86400 + 22500, 20485 * 86400 + 22504),
    (16, 6, 20486 * 86400 + 22500, 1, 7, 'confirmed', NULL, 8, 20486 * 86400 + 22500, 20486 * 86400 + 22504),
    (17, 6, 20487 * 86400 + 22500, 1, 7, 'confirmed', NULL, 8, 20487 * 86400 + 22500, 20487 * 86400 + 22504),
    (18, 7, 20486 * 86400 + 22500, 1, 7, 'no_data', NULL, NULL, 20486 * 86400 + 22500, 20486 * 86400 + 22505),
    (19, 7, 20487 * 86400 + 22500, 1, 7, 'no_data', NULL, NULL, 20487 * 86400 + 22500, 20487 * 86400 + 22505);

-- One answered attempt for each fetch that was asked once.
INSERT INTO attempts (fetch_id, n, state, sent_at, settled_at, http_status, api_code, message, credits, latency_ms)
SELECT id, 1, 'answered', claimed_at, settled_at, 200, CASE WHEN outcome = 'rejected' THEN NULL ELSE 0 END,
    CASE WHEN outcome = 'rejected' THEN NULL WHEN outcome = 'no_data' THEN 'deprecated' ELSE 'success' END, 2, 1400
FROM fetches
WHERE outcome IN ('stored', 'confirmed', 'no_data', 'rejected');
UPDATE attempts SET error = 'the body is not JSON: expected value at line 1 column 1; it begins "<html>"' WHERE fetch_id = 12;
INSERT INTO attempts (fetch_id, n, state, sent_at, settled_at, http_status, credits, latency_ms, error) VALUES
    (6, 1, 'unknown', 20486 * 86400 + 22500, 20486 * 86400 + 22530, NULL, 2, NULL, 'no answer within 30s'),
    (6, 2, 'unknown', 20486 * 86400 + 22531, 20486 * 86400 + 22561, NULL, 2, NULL, 'no answer within 30s'),
    (6, 3, 'unknown', 20486 * 86400 + 22563, 20486 * 86400 + 22593, NULL, 2, NULL, 'no answer within 30s'),
    (10, 1, 'answered', 20485 * 86400 + 22500, 20485 * 86400 + 22501, 502, 2, 300, 'HTTP 502 Bad Gateway'),
    (10, 2, 'answered', 20485 * 86400 + 22502, 20485 * 86400 + 22503, 502, 2, 310, 'HTTP 502 Bad Gateway'),
    (11, 1, 'answered', 20486 * 86400 + 22500, 20486 * 86400 + 22501, 500, 2, 290, 'HTTP 500 Internal Server Error');

INSERT INTO trend_index (clip_id, region, day, value, low, high, segment, provisional) VALUES
    ('6703723351497508865', 'US', 20483, 30.1, 29.7, 30.3, 1, FALSE),
    ('6703723351497508865', 'US', 20484, 10.1, 9.8, 10.3, 1, FALSE),
    ('6703723351497508865', 'US', 20485, 36.0, 35.6, 36.2, 1, FALSE),
    ('6703723351497508865', 'US', 20486, 100, 100, 100, 1, TRUE);
INSERT INTO index_state (
    clip_id, region, settle_lag, windows, unusable, observations, restated, contradictions, half_unit,
    pairs_0, pairs_1, pairs_2, pairs_3, pairs_4, violations_0, violations_1, violations_2, violations_3, violations_4,
    newest_day, newest_value, peak_day
) VALUES (
    '6703723351497508865', 'US', 1, 2, 0, 7, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20486, 100, 20486
);

INSERT INTO chart_fetches (id, region, period, new_to_top_100, commercial, slot_at, forced, pages, pages_read, outcome, settled_at) VALUES
    (1, 'US', 7, FALSE, FALSE, 20486 * 86400 + 20700, FALSE, 1, 1, 'stored', 20486 * 86400 + 20701),
    (2, 'US', 7, FALSE, FALSE, 20487 * 86400 + 20700, FALSE, 1, 1, 'stored', 20487 * 86400 + 20701);
INSERT INTO chart_entries (chart_fetch_id, position, region, period, seen_at, rank, rank_diff, rank_diff_type, clip_id) VALUES
    (1, 1, 'US', 7, 20486 * 86400 + 20701, 1, 0, 2, '6703723351497508865'),
    (1, 2, 'US', 7, 20486 * 86400 + 20701, 2, 4, 3, '7011536772089924609'),
    (1, 3, 'US', 7, 20486 * 86400 + 20701, 3, NULL, 4, '7326640926458743557'),
    (2, 1, 'US', 7, 20487 * 86400 + 20701, 1, 2, 1, '7326640926458743557'),
    (2, 2, 'US', 7, 20487 * 86400 + 20701, 2, 1, 3, '6703723351497508865'),
    (2, 3, 'US', 7, 20487 * 86400 + 20701, 3, NULL, 4, '6912345678901234567');
