-- What the first lanes of a run have committed, as their rows count it, and whether all that it has dropped is restored.
SELECT coalesce(sum(l.inserted), 0)::bigint AS inserted, coalesce(sum(l.updated), 0)::bigint AS updated,
       coalesce(sum(l.unchanged), 0)::bigint AS unchanged, coalesce(sum(l.skipped), 0)::bigint AS skipped,
       coalesce(sum(l.rejected), 0)::bigint AS rejected,
       ARRAY[
           coalesce(sum(l.profile_rows), 0)::bigint, coalesce(sum(l.address_rows), 0)::bigint,
           coalesce(sum(l.email_rows), 0)::bigint, coalesce(sum(l.phone_number_rows), 0)::bigint
       ] AS rows,
       NOT EXISTS (
           SELECT FROM profile_loader.run_ddl AS d WHERE d.run_id = $1 AND d.restored_at IS NULL
       ) AS is_restored
FROM profile_loader.run_lanes AS l
WHERE l.run_id = $1 AND l.lane < $2
