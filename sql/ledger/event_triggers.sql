-- Event triggers that fire on DDL, and their functions.
SELECT e.evtname::text AS name,
       pg_catalog.format('%I.%I', n.nspname, p.proname) AS function,
       pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', e.evtname) AS fix
FROM pg_catalog.pg_event_trigger AS e
JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.evtenabled IN ('O', 'A') AND e.evtevent <> 'login'
ORDER BY e.evtname
