SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') / 1048576,
       coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0),
       coalesce(sum(n_dead_tup), 0)
FROM pg_stat_user_tables WHERE schemaname = 'public';
