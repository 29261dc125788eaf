//! What the catalog says of the tables of an application: indexes, constraints, triggers, columns, comments.

use tokio_postgres::Client;

use super::tables::{execute, texts};

/// One line an object, in every schema but those of the server and of the program.
const CATALOG: &str = "
    WITH tables AS (
        SELECT c.* FROM pg_class AS c
        WHERE c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema',
            'profile_loader', 'reading') AND c.relpersistence <> 't'
    )
    SELECT concat_ws(' | ', 'index', pg_get_indexdef(i.indexrelid), s.spcname, c.relowner::regrole, c.reloptions,
        'valid', i.indisvalid, i.indisready, i.indislive, 'kind', i.indisprimary, i.indisunique, i.indimmediate,
        i.indisexclusion, 'marks', i.indisclustered, i.indisreplident,
        'comment', obj_description(i.indexrelid, 'pg_class'))
    FROM pg_index AS i JOIN tables AS c ON c.oid = i.indexrelid
    LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace
    UNION ALL
    SELECT concat_ws(' | ', 'constraint', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid),
        'deferred', k.condeferrable, k.condeferred, 'validated', k.convalidated, 'index', k.conindid::regclass,
        'comment', obj_description(k.oid, 'pg_constraint'))
    FROM pg_constraint AS k JOIN tables AS c ON c.oid = k.conrelid
    UNION ALL
    SELECT concat_ws(' | ', 'trigger', t.tgrelid::regclass, t.tgfoid::regproc, t.tgtype, t.tgenabled,
        t.tgdeferrable, t.tginitdeferred, k.conname, CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END)
    FROM pg_trigger AS t JOIN tables AS c ON c.oid = t.tgrelid
    LEFT JOIN pg_constraint AS k ON k.oid = t.tgconstraint
    UNION ALL
    SELECT concat_ws(' | ', 'column', a.attrelid::regclass, a.attnum, a.attname, a.atttypid::regtype, a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute AS a JOIN tables AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v')
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0
    UNION ALL
    SELECT concat_ws(' | ', 'relation', c.oid::regclass, c.relkind, c.relpersistence, c.relreplident,
        c.relhasindex, c.relrowsecurity, c.relacl, CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END)
    FROM tables AS c
    ORDER BY 1";

/// The same for the same tables, whoever made them.
pub(crate) async fn catalog(client: &Client) -> Vec<String> {
    // So that every name is told with its schema.
    execute(client, "SET search_path = ''").await;
    let lines = texts(client, CATALOG).await;
    execute(client, "RESET search_path").await;
    lines
}

/// Lines that are there and should not be, or are not and should.
pub(crate) fn catalog_differences(found: &[String], expected: &[String]) -> Vec<String> {
    let without = |one: &[String], other: &[String], sign: &str| {
        let lines = one.iter().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [without(expected, found, "-"), without(found, expected, "+")].concat()
}
