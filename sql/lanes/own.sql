INSERT INTO profile_loader.run_transactions (run_id, lane, xid)
SELECT $1, $2, t.xid FROM unnest($3::bigint[]) AS t (xid)
