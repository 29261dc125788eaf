//! The function that tries documents on the server, put together from the statements that merge them.

use crate::postgres::ErrorClass;

/// A statement with a parameter of the function in place of its own.
fn of_chosen(statement: &str) -> String {
    statement.trim_end().replace("$1", "loader_chosen")
}

/// `@schema@` stands for the schema still.
pub(super) fn function() -> String {
    function_of(&insert(INSERTS), &update())
}

/// For tables that are being filled: they lack the key that an insert might meet, nothing of them is updated, and no sequence
/// may be touched, for a lane that has taken a value of it holds up the others until its transaction ends.
pub(super) fn function_without_keys() -> String {
    let [profiles, addresses, emails, phone_numbers] = INSERTS;
    let profiles = profiles.replace("ON CONFLICT (id) DO NOTHING\n", "");
    let [emails, phone_numbers] = [emails, phone_numbers].map(with_ids);
    function_of(&insert([&profiles, addresses, &emails, &phone_numbers]), "NULL;")
}

fn function_of(insert: &str, update: &str) -> String {
    include_str!("../../../sql/merge/trial.sql")
        .replace("@insert@", insert)
        .replace("@update@", update)
        .replace("@incomplete@", &of_chosen(include_str!("../../../sql/merge/incomplete.sql")))
        .replace("@not_of_data@", &ErrorClass::not_of_data())
}

/// With ids that no sequence gets to.
fn with_ids(insert: &str) -> String {
    insert.replacen(" (customer_profile_id,", " (id, customer_profile_id,", 1).replacen(
        "SELECT ",
        "OVERRIDING SYSTEM VALUE SELECT 9000000000000000000 + row_number() OVER (), ",
        1,
    )
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

/// By table.
const INSERTS: [&str; 4] = [
    include_str!("../../../sql/merge/insert_profiles.sql"),
    include_str!("../../../sql/merge/insert_addresses.sql"),
    include_str!("../../../sql/merge/insert_emails.sql"),
    include_str!("../../../sql/merge/insert_phone_numbers.sql"),
];

fn insert(inserts: [&str; 4]) -> String {
    let [profiles, addresses, emails, phone_numbers] = inserts.map(of_chosen);
    let unreturned = profiles.strip_suffix("RETURNING id").expect("it says which ids it wrote");
    include_str!("../../../sql/merge/trial_insert.sql")
        .replace("@profiles@;", &format!("{unreturned};"))
        .replace("@profiles@", &profiles)
        .replace("@addresses@", &addresses)
        .replace("@emails@", &emails)
        .replace("@phone_numbers@", &phone_numbers)
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
