-- Moves the watermark and the counters to what they are once this transaction is committed.
UPDATE profile_loader.run_lanes
SET source = $3, byte_offset = $4, digest = $5, cost_bytes = $6,
    inserted = $7, updated = $8, unchanged = $9, skipped = $10, rejected = $11,
    profile_rows = $12, address_rows = $13, email_rows = $14, phone_number_rows = $15,
    committed_at = clock_timestamp()
WHERE run_id = $1 AND lane = $2
