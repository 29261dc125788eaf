//! What to do where a statement that restores an index or a key fails: the query that finds the rows in the way, or the
//! object; pure.

use crate::{runs::PendingStep, tables::Table};

/// By the SQLSTATE of the failure; nothing where there is no more to say than the error does.
pub(super) fn fix_of(step: &PendingStep, sqlstate: &str) -> Option<String> {
    match sqlstate {
        "23505" => duplicates(&step.sql).map(|query| format!("the rows in the way: {query}")),
        "23503" => orphans(&step.sql).map(|query| format!("the rows in the way: {query}")),
        "23502" => Some("a column of the key holds null in some rows".to_owned()),
        "42P07" | "42710" => index_of(&step.sql).map(|name| {
            format!("an index or table of the name {name} is there already; drop or rename it first")
        }),
        "42P01" => Some(format!(
            "the table was dropped or renamed; rename it back, or abandon the run: profile-loader runs abandon {}",
            step.run_id
        )),
        "42501" => Some("only the owner of the table, or a member of that role, may do it".to_owned()),
        code if code.starts_with("P0") => Some(
            "an event trigger may be the cause: ALTER EVENT TRIGGER … DISABLE until the run has ended"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Of `CREATE UNIQUE INDEX name ON table USING btree (columns) …`.
fn duplicates(sql: &str) -> Option<String> {
    let (name_and_table, rest) = sql.strip_prefix("CREATE UNIQUE INDEX ")?.split_once(" USING ")?;
    let (_, table) = name_and_table.rsplit_once(" ON ")?;
    let (_, rest) = rest.split_once(" (")?;
    let columns = columns(rest)?;
    Some(format!("SELECT {columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1"))
}

/// The columns of an index, without collations, operator classes and order, up to the parenthesis that ends them.
fn columns(list: &str) -> Option<String> {
    let (mut names, mut name, mut is_quoted, mut is_over) = (Vec::new(), String::new(), false, false);
    for c in list.chars() {
        match c {
            '"' => is_quoted ^= true,
            ',' | ')' if !is_quoted => {
                names.push(std::mem::take(&mut name));
                if c == ')' {
                    return Some(names.join(", "));
                }
                is_over = false;
                continue;
            }
            ' ' if !is_quoted => {
                is_over = !name.is_empty();
                continue;
            }
            _ => {}
        }
        if !is_over {
            name.push(c);
        }
    }
    None
}

/// Of `ALTER TABLE table VALIDATE CONSTRAINT name`.
fn orphans(sql: &str) -> Option<String> {
    let (table, _) = sql.strip_prefix("ALTER TABLE ")?.split_once(" VALIDATE CONSTRAINT ")?;
    let (schema, _) = table.rsplit_once('.')?;
    let profiles = Table::Profiles.name();
    Some(format!(
        "SELECT * FROM {table} AS t WHERE NOT EXISTS (SELECT FROM {schema}.{profiles} AS p WHERE p.id = \
         t.customer_profile_id)"
    ))
}

/// Of `CREATE INDEX name ON …`, unique or not.
fn index_of(sql: &str) -> Option<&str> {
    let rest = sql.strip_prefix("CREATE ")?;
    let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest);
    let (name_and_table, _) = rest.strip_prefix("INDEX ")?.split_once(" USING ")?;
    Some(name_and_table.rsplit_once(" ON ")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_fix() {
        let check = |sql: &str, sqlstate: &str, expected: Option<&str>| {
            let step = PendingStep {
                run_id: 7,
                step: 0,
                label: String::new(),
                sql: sql.to_owned(),
                after: Vec::new(),
                bytes: 0,
                missing_tables: Vec::new(),
                is_there: false,
            };
            assert_eq!(fix_of(&step, sqlstate).as_deref(), expected, "{sql}");
        };
        check(
            "CREATE UNIQUE INDEX pk ON public.customer_profiles USING btree (id)",
            "23505",
            Some(
                "the rows in the way: SELECT id, count(*) FROM public.customer_profiles GROUP BY id HAVING count(*) > 1",
            ),
        );
        check(
            "CREATE UNIQUE INDEX \"a ON b\" ON \"s 1\".t USING btree (a)",
            "23505",
            Some("the rows in the way: SELECT a, count(*) FROM \"s 1\".t GROUP BY a HAVING count(*) > 1"),
        );
        check(
            "CREATE UNIQUE INDEX u ON \"s 1\".t USING btree (\"a, b)\" COLLATE \"C\" DESC, c int_ops) INCLUDE (d)",
            "23505",
            Some(
                "the rows in the way: SELECT \"a, b)\", c, count(*) FROM \"s 1\".t GROUP BY \"a, b)\", c HAVING count(*) > 1",
            ),
        );
        check("CREATE INDEX i ON t USING btree (a)", "23505", None);
        check(
            "ALTER TABLE \"public\".customer_profile_emails VALIDATE CONSTRAINT \"fk\"",
            "23503",
            Some(
                "the rows in the way: SELECT * FROM \"public\".customer_profile_emails AS t WHERE NOT EXISTS (SELECT FROM \
                 \"public\".customer_profiles AS p WHERE p.id = t.customer_profile_id)",
            ),
        );
        check(
            "CREATE INDEX \"By name\" ON public.customer_profiles USING btree (last_name)",
            "42P07",
            Some("an index or table of the name \"By name\" is there already; drop or rename it first"),
        );
        check("ALTER TABLE t VALIDATE CONSTRAINT c", "57014", None);
    }
}
