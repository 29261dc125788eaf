-- How many rows a run has committed, for each of the four tables in their order.
SELECT ARRAY[
    coalesce(sum(l.profile_rows), 0)::bigint,
    coalesce(sum(l.address_rows), 0)::bigint,
    coalesce(sum(l.email_rows), 0)::bigint,
    coalesce(sum(l.phone_number_rows), 0)::bigint
] AS rows
FROM profile_loader.run_lanes AS l
WHERE l.run_id = $1
