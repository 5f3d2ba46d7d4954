-- How a series stands, written with its index, so that thousands are sorted without a look at their days.
ALTER TABLE index_state ADD COLUMN newest_day BIGINT;
ALTER TABLE index_state ADD COLUMN newest_value DOUBLE PRECISION;
ALTER TABLE index_state ADD COLUMN peak_day BIGINT;
ALTER TABLE index_state ADD COLUMN change_rank DOUBLE PRECISION;

-- Known once their index is computed again.
INSERT INTO index_due (clip_id, region, marked_at)
SELECT clip_id, region, 0
FROM index_state
WHERE true
ON CONFLICT (clip_id, region) DO NOTHING;
