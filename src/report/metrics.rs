//! The figures of a run for Prometheus' textfile collector. Labels are codes and outcomes, never values.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Outcome, RunReport};

const LAST_SUCCESS: &str = "profile_loader_last_success_timestamp_seconds";

/// The text of the file; `before` is the one that it takes the place of, which knows the last success. `now` is the
/// time in seconds since 1970.
pub(super) fn text(report: &RunReport, before: &str, now: f64) -> String {
    let is_success = matches!(report.outcome, Outcome::Complete | Outcome::CompleteWithRejects);
    let label = format!("command=\"{}\"", report.command);
    let mut text = String::new();
    let mut family = |name: &str, help: &str, samples: &[(String, f64)]| {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let one = |value: f64| vec![(label.clone(), value)];
    let last_success = if is_success { Some(now) } else { known_success(before, &label) };
    let last_success: Vec<_> = last_success.into_iter().map(|time| (label.clone(), time)).collect();
    family(LAST_SUCCESS, "When a run last came to its end.", &last_success);
    family("profile_loader_run_timestamp_seconds", "When the last run ended.", &one(now));
    family(
        "profile_loader_run_success",
        "Whether the last run came to its end.",
        &one(f64::from(u8::from(is_success))),
    );
    family(
        "profile_loader_run_exit_code",
        "The exit code of the last run.",
        &one(f64::from(report.exit_code)),
    );
    family(
        "profile_loader_run_duration_seconds",
        "How long the last run took.",
        &one(report.elapsed_seconds),
    );
    let bytes = float(report.throughput.bytes(report.elapsed_seconds));
    family("profile_loader_run_bytes", "Decompressed bytes that the last run read.", &one(bytes));
    let with = |name: &str, value: &str, count: u64| (format!("{label},{name}=\"{value}\""), float(count));
    let documents: Vec<_> =
        outcomes(report).iter().map(|(name, count)| with("outcome", name, *count)).collect();
    family("profile_loader_run_documents", "Documents of the last run by what became of them.", &documents);
    let retries: Vec<_> = report.load.iter().map(|load| (label.clone(), float(load.retries))).collect();
    family("profile_loader_run_retries", "Transactions of the last run that were tried again.", &retries);
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    for group in &report.errors {
        *codes.entry(&group.code).or_default() += group.count;
    }
    let faults: Vec<_> = codes.into_iter().map(|(code, count)| with("code", &escaped(code), count)).collect();
    family("profile_loader_run_faults", "Faults of the last run by code.", &faults);
    text
}

fn outcomes(report: &RunReport) -> Vec<(&'static str, u64)> {
    let rejected = ("rejected", report.documents.rejected);
    let dropped = report.map.is_some().then_some(("dropped", report.documents.dropped));
    let mut outcomes = match &report.load {
        None => vec![("accepted", report.documents.accepted), rejected],
        Some(load) => vec![
            ("inserted", load.inserted),
            ("updated", load.updated),
            ("unchanged", load.unchanged),
            ("skipped", load.skipped),
            ("not_loaded", load.not_loaded),
            ("unknown", load.unknown),
            rejected,
        ],
    };
    outcomes.extend(dropped);
    outcomes
}

fn known_success(before: &str, label: &str) -> Option<f64> {
    let start = format!("{LAST_SUCCESS}{{{label}}} ");
    before.lines().find_map(|line| line.strip_prefix(start.as_str())?.parse().ok())
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "the format has floating point numbers only")]
fn float(count: u64) -> f64 {
    count as f64
}
