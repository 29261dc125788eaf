//! What the ledger has to say of a run that came to its end: what the run's report says, and nothing that is
//! only kept while a run is unfinished.

use serde_json::Value;
use tokio_postgres::Client;

use crate::support::texts;

/// The SQL, what it has to return as its only row, and what that is about.
type Check = (&'static str, String, String);

/// Differences in words. `refused` are the lines of the errors file.
pub(super) async fn in_ledger(client: &Client, report: &Value, refused: &str) -> Vec<String> {
    let Some(run) = report["run_id"].as_u64() else { return vec!["the report has no run_id".to_owned()] };
    let mut differences = Vec::new();
    for (what, sql, expected) in checks(run, report, refused) {
        let found = texts(client, &sql).await;
        if found != [expected.as_str()] {
            differences.push(format!("the ledger's {what} are {found:?}, not '{expected}'"));
        }
    }
    differences
}

fn checks(run: u64, report: &Value, refused: &str) -> [Check; 6] {
    let count = |pointer: &str| {
        report.pointer(pointer).and_then(Value::as_u64).map_or_else(String::new, |n| n.to_string())
    };
    let counts =
        |pointers: &[&str]| pointers.iter().map(|pointer| count(pointer)).collect::<Vec<_>>().join(" ");
    let outcome = report["outcome"].as_str().unwrap_or_default();
    let documents = counts(&["/documents/read", "/documents/accepted", "/documents/rejected"]);
    let settled = counts(&["/load/inserted", "/load/updated", "/load/unchanged", "/load/skipped"]);
    let rows = ["profiles", "profile_addresses", "profile_emails", "profile_phone_numbers"]
        .map(|table| format!("/load/rows/customer_{table}"));
    let rows = counts(&rows.each_ref().map(String::as_str));
    let by_server = refused.lines().filter(|line| is_of_the_server(line)).count();
    let inputs = report["inputs"].as_array().into_iter().flatten();
    let inputs: Vec<_> = inputs.map(|input| format!("{} {}", input["bytes"], input["digest"])).collect();
    [
        (
            "state and documents",
            format!(
                "SELECT concat_ws(' ', state, documents_read, documents_accepted, documents_rejected,
                     ended_at >= attempted_at AND attempted_at >= started_at, failure)
                 FROM profile_loader.runs WHERE id = {run}"
            ),
            format!("{outcome} {documents} t"),
        ),
        (
            "counters of lanes",
            format!(
                "SELECT concat_ws(' ', sum(inserted), sum(updated), sum(unchanged), sum(skipped), sum(rejected),
                     sum(profile_rows), sum(address_rows), sum(email_rows), sum(phone_number_rows))
                 FROM profile_loader.run_lanes WHERE run_id = {run}"
            ),
            format!("{settled} {by_server} {rows}"),
        ),
        (
            "lanes",
            format!(
                "SELECT concat_ws(' ', count(l.run_id) = 2 * r.lanes OR r.strategy <> 'bulk' AND count(l.run_id) = r.lanes,
                     bool_and(l.attempt <= r.attempts))
                 FROM profile_loader.runs AS r LEFT JOIN profile_loader.run_lanes AS l ON l.run_id = r.id
                 WHERE r.id = {run} GROUP BY r.lanes, r.strategy"
            ),
            "t t".to_owned(),
        ),
        (
            "inputs",
            format!(
                "SELECT string_agg(concat_ws(' ', bytes, '\"blake3:' || digest || '\"'), ', ' ORDER BY position)
                 FROM profile_loader.run_inputs WHERE run_id = {run}"
            ),
            inputs.join(", "),
        ),
        (
            "rejected documents",
            "SELECT coalesce(string_agg(concat_ws(' ', run_id, reject_line, fault, source, line, byte_offset, code, pointer),
                 ', ' ORDER BY run_id, reject_line, fault), '')
             FROM profile_loader.rejected_documents"
                .to_owned(),
            refused.lines().flat_map(|record| rejected_rows(run, record)).collect::<Vec<_>>().join(", "),
        ),
        (
            "rows for unfinished runs",
            "SELECT ((SELECT count(*) FROM profile_loader.run_rejections)
                   + (SELECT count(*) FROM profile_loader.run_transactions)
                   + (SELECT count(*) FROM profile_loader.run_spills)
                   + (SELECT count(*) FROM profile_loader.run_ddl)
                   + (SELECT count(*) FROM profile_loader.run_plans))::text"
                .to_owned(),
            "0".to_owned(),
        ),
    ]
}

/// What the ledger has of a record, fault by fault.
fn rejected_rows(run: u64, record: &str) -> Vec<String> {
    let record: Value = serde_json::from_str(record).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let places = ["source", "line", "byte_offset"].map(|name| text(&record[name])).join(" ");
    let faults = (1..).zip(record["errors"].as_array().into_iter().flatten());
    let row = |(number, fault): (u32, &Value)| {
        let [code, pointer] = ["code", "pointer"].map(|name| text(&fault[name]));
        format!("{run} {} {number} {places} {code} {pointer}", record["reject_line"])
    };
    faults.map(row).collect()
}

/// `load:exists`, `load:duplicate`, `db:suppressed`, or `db:` and a SQLSTATE: what no document says by itself.
fn is_of_the_server(record: &str) -> bool {
    let record: Value = serde_json::from_str(record).unwrap_or_default();
    let code = record["errors"][0]["code"].as_str().unwrap_or_default();
    let of_sqlstate = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let is_sqlstate = |code: &str| code.len() == 5 && code.bytes().all(of_sqlstate);
    code.starts_with("load:") || code == "db:suppressed" || code.strip_prefix("db:").is_some_and(is_sqlstate)
}
