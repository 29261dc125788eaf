//! The function that tries documents on the server, put together from the statements that merge them.

use crate::postgres::ErrorClass;

/// A statement with a parameter of the function in place of its own.
fn of_chosen(statement: &str) -> String {
    statement.trim_end().replace("$1", "loader_chosen")
}

/// `@schema@` stands for the schema still.
pub(super) fn function() -> String {
    include_str!("../../../sql/merge/trial.sql")
        .replace("@insert@", &insert())
        .replace("@update@", &update())
        .replace("@incomplete@", &of_chosen(include_str!("../../../sql/merge/incomplete.sql")))
        .replace("@not_of_data@", &ErrorClass::not_of_data())
}

/// Of each table, the rows of all documents that are staged.
pub(super) fn rows() -> [String; 4] {
    [
        include_str!("../../../sql/merge/rows_of_profiles.sql"),
        include_str!("../../../sql/merge/rows_of_addresses.sql"),
        include_str!("../../../sql/merge/rows_of_emails.sql"),
        include_str!("../../../sql/merge/rows_of_phone_numbers.sql"),
    ]
    .map(|rows| {
        let all =
            rows.replace("s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))", "true");
        all.replacen("SELECT s.seq", "SELECT s.ctid AS place", 1)
    })
}

fn insert() -> String {
    let profiles = of_chosen(include_str!("../../../sql/merge/insert_profiles.sql"));
    let unreturned = profiles.strip_suffix("RETURNING id").expect("it says which ids it wrote");
    include_str!("../../../sql/merge/trial_insert.sql")
        .replace("@profiles@;", &format!("{unreturned};"))
        .replace("@profiles@", &profiles)
        .replace("@addresses@", &of_chosen(include_str!("../../../sql/merge/insert_addresses.sql")))
        .replace("@emails@", &of_chosen(include_str!("../../../sql/merge/insert_emails.sql")))
        .replace("@phone_numbers@", &of_chosen(include_str!("../../../sql/merge/insert_phone_numbers.sql")))
}

fn update() -> String {
    let mut all = include_str!("../../../sql/merge/trial_update.sql").to_owned();
    for (part, statement) in [
        include_str!("../../../sql/merge/update_profiles.sql"),
        include_str!("../../../sql/merge/update_addresses.sql"),
        include_str!("../../../sql/merge/update_emails.sql"),
        include_str!("../../../sql/merge/update_phone_numbers.sql"),
    ]
    .iter()
    .enumerate()
    {
        let one = include_str!("../../../sql/merge/trial_update_part.sql")
            .replace("@part@", &(1 << part).to_string())
            .replace("@update@", &of_chosen(statement));
        all.push_str(&one);
    }
    all
}
