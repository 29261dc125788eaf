-- Puts earlier attempts out of the run. Waits for transactions of theirs that are still under way.
UPDATE profile_loader.run_lanes SET attempt = $2 WHERE run_id = $1
