//! The published JSON Schema of reports, which every report of the tests is held against.

use std::sync::LazyLock;

use serde_json::Value;

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../docs/report.schema.json")).expect("it is JSON");
    jsonschema::validator_for(&schema).expect("it is a JSON Schema")
});

/// Holds a report against the schema; returns it.
pub(crate) fn assert_is_report(report: Value) -> Value {
    let faults: Vec<_> =
        SCHEMA.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{report:#}");
    report
}
