-- Takes the next @rows@ ids of a sequence that is locked; no row where it has changed, or has no room for them.
SELECT @table@ AS "table",
       pg_catalog.setval(q.seqrelid::pg_catalog.regclass, v.first + (@rows@ - 1)) - (@rows@ - 1) AS first
FROM (
    SELECT s.last_value + CASE WHEN s.is_called THEN 1 ELSE 0 END AS first FROM @sequence@ AS s
) AS v
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = @literal@::pg_catalog.regclass
WHERE q.seqincrement = 1 AND NOT q.seqcycle AND v.first <= q.seqmax - (@rows@ - 1)
