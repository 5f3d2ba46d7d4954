-- How a series stands, written with its index, so that thousands are sorted without a look at their days.
ALTER TABLE index_state ADD COLUMN newest_day BIGINT;
ALTER TABLE index_state ADD COLUMN newest_value DOUBLE PRECISION;
ALTER TABLE index_state ADD COLUMN peak_day BIGINT;
ALTER TABLE index_state ADD COLUMN change_rank DOUBLE PRECISION;

-- What the index tells. The change of a week is known once it is computed again.
UPDATE index_state SET
    newest_day = (
        SELECT max(x.day) FROM trend_index AS x
        WHERE x.clip_id = index_state.clip_id AND x.region = index_state.region
    );
UPDATE index_state SET
    newest_value = (
        SELECT x.value FROM trend_index AS x
        WHERE x.clip_id = index_state.clip_id AND x.region = index_state.region AND x.day = index_state.newest_day
    ),
    peak_day = (
        SELECT x.day
        FROM trend_index AS x
        JOIN trend_index AS n
            ON n.clip_id = x.clip_id AND n.region = x.region AND n.day = index_state.newest_day AND n.segment = x.segment
        WHERE x.clip_id = index_state.clip_id AND x.region = index_state.region
        ORDER BY x.value DESC, x.day
        LIMIT 1
    );

INSERT INTO index_due (clip_id, region, marked_at)
SELECT clip_id, region, 0
FROM index_state
WHERE true
ON CONFLICT (clip_id, region) DO NOTHING;
