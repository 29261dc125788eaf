//! The enum of the phone numbers' type: its labels, and their order.

use super::{ddl::Ddl, difference::Difference};
use crate::{
    postgres::{PhoneType, quote_identifier},
    tables::{PHONE_TYPE, PHONE_TYPES, Table},
};

pub(super) fn differences(ddl: Ddl<'_>, found: Option<&PhoneType>) -> Vec<Difference> {
    let Some(found) = found else {
        let what = format!("enum {PHONE_TYPE} is missing");
        return vec![Difference::breaking(what, ddl.create_phone_type())];
    };
    if !found.is_enum {
        let (renamed, _) = rename(ddl);
        let what = format!("type {PHONE_TYPE} is not an enum");
        return vec![Difference::breaking(what, format!("{renamed} {}", ddl.create_phone_type()))];
    }
    let mut all = missing_labels(ddl, &found.labels);
    let known: Vec<_> = PHONE_TYPES.iter().filter(|known| found.labels.iter().any(|l| l == *known)).collect();
    let in_found_order: Vec<_> =
        found.labels.iter().filter(|label| PHONE_TYPES.contains(&label.as_str())).collect();
    let unknown: Vec<_> = found
        .labels
        .iter()
        .filter(|label| !PHONE_TYPES.contains(&label.as_str()))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let what =
            format!("enum {PHONE_TYPE} has labels that the loader does not know: {}", unknown.join(", "));
        all.push(Difference::new(what, recreate(ddl)));
    } else if known != in_found_order {
        let what =
            format!("enum {PHONE_TYPE} has its labels in another order than {}", PHONE_TYPES.join(", "));
        all.push(Difference::new(what, recreate(ddl)));
    }
    all
}

/// Each fixed at its place, in the order in which they are listed.
fn missing_labels(ddl: Ddl<'_>, found: &[String]) -> Vec<Difference> {
    let mut previous: Option<&str> = None;
    let mut all = Vec::new();
    for label in PHONE_TYPES {
        if !found.iter().any(|known| known == label) {
            let place = match (previous, found.first()) {
                (Some(previous), _) => format!(" AFTER '{previous}'"),
                (None, Some(first)) => format!(" BEFORE '{}'", first.replace('\'', "''")),
                (None, None) => String::new(),
            };
            all.push(Difference::breaking(
                format!("enum {PHONE_TYPE} lacks the label {label}"),
                format!("ALTER TYPE {} ADD VALUE '{label}'{place};", ddl.qualified(PHONE_TYPE)),
            ));
        }
        previous = Some(label);
    }
    all
}

/// A label can't be dropped or moved. Fails, and leaves all as it was, where a row has one that is dropped.
fn recreate(ddl: Ddl<'_>) -> String {
    let (rename, renamed) = rename(ddl);
    let wanted = ddl.qualified(PHONE_TYPE);
    let column = ddl.alter_column(
        Table::PhoneNumbers,
        "type",
        &format!("TYPE {wanted} USING \"type\"::text::{wanted}"),
    );
    format!("BEGIN; {rename} {} {column} DROP TYPE {renamed}; COMMIT;", ddl.create_phone_type())
}

/// The statement, and the new name.
fn rename(ddl: Ddl<'_>) -> (String, String) {
    let renamed = format!("{PHONE_TYPE}_renamed");
    let statement =
        format!("ALTER TYPE {} RENAME TO {};", ddl.qualified(PHONE_TYPE), quote_identifier(&renamed));
    (statement, ddl.qualified(&renamed))
}
