//! What constraints compare: collations, nulls, two constraints at once; and ids that come more than once.

use serde_json::{Value, json};

use super::{ONE_EMAIL, rejected, store};
use crate::support::{ndjson, texts};

/// `middle` is a middle name, `number` the last digit of a phone number.
fn document(id: usize, email: &str, middle: Option<&str>, number: usize) -> Value {
    let mut document = json!({
        "id": format!("00000000-0000-4000-8000-{id:012}"),
        "firstName": "A", "lastName": "L", "emails": [email],
        "phoneNumbers": [{"type": "work", "number": format!("+4930123456{number}")}],
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    });
    if let Some(middle) = middle {
        document["middleName"] = json!(middle);
    }
    document
}

/// Rejected lines, whether in one transaction or with a phase for what clashes.
fn check(rule: &str, stored: &[Value], input: &[Value], lines: &[usize]) {
    for options in ["--connections=1", "--connections=4", "--atomic"] {
        let store = store(rule);
        let before = store.load(&[], &ndjson(stored));
        assert_eq!(before.code, Some(0), "{:?}", before.errors);
        let run = store.load(&[options, "--on-existing=update"], &ndjson(input));
        assert_eq!(rejected(&run, "db:23505"), lines, "{rule}, {options}: {}", run.stderr);
    }
}

#[test]
fn a_collation_of_the_index() {
    let with = |id, email| document(id, email, None, id);
    let stored = [with(0, "a@example.com"), with(1, "b@example.com"), with(2, "c@example.com")];
    let input = [
        with(3, "A@example.com"),
        with(0, "B@example.com"),
        with(4, "B@EXAMPLE.com"),
        with(1, "a@EXAMPLE.com"),
        with(5, "new@example.com"),
        with(6, "NEW@example.com"),
    ];
    let rule =
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                CREATE UNIQUE INDEX one_email ON customer_profile_emails (email COLLATE any_case)";
    check(rule, &stored, &input, &[1, 3, 6]);
}

/// Any number may be without a middle name, or only one.
#[tokio::test]
async fn nulls() {
    let named = |id: usize, middle| document(id, &format!("mail{id}@example.com"), middle, id);
    let stored = [named(0, None), named(1, Some("x"))];
    let input = [named(2, None), named(1, None), named(3, Some("x")), named(0, Some("y")), named(4, None)];
    let rule = "CREATE UNIQUE INDEX one_middle_name ON customer_profiles (middle_name)";
    check(rule, &stored, &input, &[]);
    let version = texts(&store(rule).connect().await, "SELECT current_setting('server_version_num')").await;
    if version[0].parse::<u32>().expect("a number") >= 150_000 {
        // The fourth gives the first what it wants, and nobody else can have it.
        check(&format!("{rule} NULLS NOT DISTINCT"), &stored, &input, &[2, 3, 5]);
    }
}

/// The first has what it wants of two profiles that swap something else; the last wants what stays.
#[test]
fn two_constraints() {
    let with = |id, email: usize, number| document(id, &format!("mail{email}@example.com"), None, number);
    let stored: Vec<_> = (0..5).map(|id| with(id, id, id)).collect();
    let input = [
        with(5, 0, 1),
        with(6, 7, 2),
        with(0, 1, 0),
        with(1, 0, 2),
        with(2, 2, 1),
        with(3, 4, 9),
        with(4, 3, 4),
        with(7, 6, 4),
    ];
    let rule =
        format!("{ONE_EMAIL}; CREATE UNIQUE INDEX one_number ON customer_profile_phone_numbers (number)");
    check(&rule, &stored, &input, &[1, 2, 8]);
}

/// The first waits for the last, whatever comes between, and others of one id do not wait for each other.
#[test]
fn ids_that_come_often() {
    let with = |id, email: usize, number| document(id, &format!("mail{email}@example.com"), None, number);
    let stored: Vec<_> = (0..3).map(|id| with(id, id, id)).collect();
    let mut input = vec![with(3, 0, 0), with(4, 1, 0), with(4, 5, 0)];
    input.extend((0..40).map(|number| with(0, 0, number % 2)));
    input.push(with(0, 8, 0));
    check(ONE_EMAIL, &stored, &input, &[2]);
}
