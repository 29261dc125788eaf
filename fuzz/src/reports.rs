//! A report that has everything that reports can have.

use std::fs;

use profile_loader::{
    RunReport,
    settings::{DocumentSettings, FramingRequest},
    validate,
};
use serde_json::{Value, json};

use crate::FOLDER;

const FIXTURE: &[u8] = include_bytes!("../../fixtures/customers.ndjson");

/// Of some documents with faults, and as much beside it as there can be.
pub fn full() -> Value {
    let path = FOLDER.join("customers.ndjson");
    let faulty = b"{\"id\":1}\n{\"a\":\"b\"}\n[]\nnone\n".repeat(7);
    fs::write(&path, [FIXTURE, &faulty].concat()).expect("a file in TMPDIR");
    let settings =
        DocumentSettings { jobs: 1, framing: FramingRequest::Auto, ..DocumentSettings::of([&path]) };
    let mut report = validate(&settings).expect("the file is there");
    let mut before = report.clone();
    before.errors.swap_remove(0);
    before.documents.read += 1000;
    report.compare_with(&before);
    let mut report: Value = serde_json::from_str(&report.to_json()).expect("a report is JSON");
    let accepted = report["documents"]["accepted"].clone();
    let counts = json!({
        "customer_profiles": 3, "customer_profile_addresses": 2,
        "customer_profile_emails": 1, "customer_profile_phone_numbers": 0,
    });
    report["load"] = json!({
        "strategy": "merge", "connections": 4, "inserted": accepted, "updated": 0, "unchanged": 0, "skipped": 0,
        "not_loaded": 0, "unknown": 0, "settled_earlier": 0, "retries": 1, "rows": counts,
    });
    report["dry_run"] = json!({
        "because": "the target is held", "resumes": 3, "ddl": ["CREATE TABLE a"], "differences": ["a column"],
        "refusals": ["a refusal"], "warnings": ["a warning"],
        "columns": [{"table": "customer_profiles", "column": "last_name", "profiles": 3}],
        "rows": [{"table": "customer_profiles", "added": 3, "changed": 2, "removed": 1}],
        "forgotten": 1, "unforeseen": ["something"], "estimate": {"seconds": 3.5, "runs": [1, 2]},
    });
    report["map"] = json!({"source": "crm.jq", "sha256": "ab"});
    report["failure"] = json!("a failure");
    report["database"] = json!("PostgreSQL 18.0");
    report["retry"] = json!({"run_id": 1, "rejected": 3, "fixed": 2});
    report["rejects"] =
        json!({"documents": "rejects/rejects.ndjson", "errors": "rejects/rejects.errors.ndjson"});
    serde_json::from_value::<RunReport>(report.clone()).expect("it is a report");
    report
}
