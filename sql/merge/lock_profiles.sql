-- Holds the chosen profiles that are still stored, in the order of the ids.
SELECT t.id
FROM @schema@.customer_profiles AS t
WHERE t.id = ANY ($1::uuid[])
ORDER BY t.id
FOR UPDATE
