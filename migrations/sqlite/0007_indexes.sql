-- What went wrong is asked for again and again, and is few among many that went well: an entry for each
-- of these only, so that the others cost nothing.
CREATE INDEX fetches_gone_wrong ON fetches (slot_at) WHERE outcome IN ('failed', 'rejected', 'no_data');
