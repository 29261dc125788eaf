//! The summary for people, drawn from the report.

use std::fmt::Write as _;

use super::{Change, ErrorGroup, Outcome, RunReport};
use crate::path_text::visible_lines;

/// How many groups of faults are shown; the report and the reject files have all of them.
const GROUPS_SHOWN: usize = 10;

/// The whole summary, lines ended, nothing coloured.
pub(crate) fn summary(report: &RunReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(report, &mut out);
    visible_lines(&out)
}

fn write_summary(report: &RunReport, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}: {}", report.command, outcome_words(report.outcome))?;
    write_counts(report, out)?;
    if !report.errors.is_empty() {
        write_errors(&report.errors, report.errors_not_listed, out)?;
    }
    write_since(report, out)?;
    write_next(report, out)
}

fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete, nothing rejected",
        Outcome::CompleteWithRejects => "complete, some documents were rejected",
        Outcome::RejectLimit => "stopped, too many documents were rejected (--max-rejects)",
        Outcome::Failed => "stopped by a failure before the end of the input",
        Outcome::Interrupted => "stopped by a signal before the end of the input",
    }
}

fn write_counts(report: &RunReport, out: &mut String) -> std::fmt::Result {
    let documents = &report.documents;
    let files = match report.inputs.len() {
        1 if report.inputs[0].source == "-" => "standard input".to_owned(),
        1 => report.inputs[0].source.clone(),
        count => format!("{count} inputs"),
    };
    writeln!(
        out,
        "\n  {:>13}  documents read from {files} in {} ({}/s)",
        grouped(documents.read),
        seconds(report.elapsed_seconds),
        grouped_rate(report.throughput.documents_per_second),
    )?;
    writeln!(out, "  {:>13}  accepted", grouped(documents.accepted))?;
    if let Some(load) = &report.load {
        for (count, words) in [
            (load.inserted, "inserted"),
            (load.updated, "updated"),
            (load.unchanged, "unchanged"),
            (load.skipped, "skipped"),
            (load.not_loaded, "not loaded"),
            (load.unknown, "outcome not known: COMMIT was not answered; the same command finds out"),
        ] {
            let is_always_shown = matches!(words, "inserted" | "updated" | "unchanged" | "skipped");
            if count > 0 || is_always_shown {
                writeln!(out, "  {:>15}  {words}", grouped(count))?;
            }
        }
    }
    writeln!(out, "  {:>13}  rejected", grouped(documents.rejected))?;
    if documents.blank > 0 {
        writeln!(out, "  {:>13}  blank lines", grouped(documents.blank))?;
    }
    if let Some(load) = &report.load {
        writeln!(out, "  {:>13}  rows written", grouped(load.rows.total()))?;
    }
    Ok(())
}

fn write_errors(errors: &[ErrorGroup], not_listed: u64, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n      documents  what is wrong")?;
    for group in errors.iter().take(GROUPS_SHOWN) {
        let place = if group.pointer.is_empty() { String::new() } else { format!(" {}", group.pointer) };
        writeln!(out, "  {:>13}  {}{place}: {}", grouped(group.documents), group.code, group.message)?;
        writeln!(out, "  {:>13}  first at {}, line {}", "", group.first.source, group.first.line)?;
    }
    let more = errors.len().saturating_sub(GROUPS_SHOWN);
    if more > 0 || not_listed > 0 {
        writeln!(out, "  {:>13}  and {more} other kinds of faults (--output json lists them)", "")?;
    }
    Ok(())
}

/// What is new since the baseline.
fn write_since(report: &RunReport, out: &mut String) -> std::fmt::Result {
    let Some(baseline) = &report.baseline else { return Ok(()) };
    let of = |change| baseline.errors.iter().filter(|before| before.change == change).count();
    writeln!(
        out,
        "\n  since the baseline: {} new, {} gone, {} grown and {} shrunk kinds of faults",
        of(Change::New),
        baseline.gone.len(),
        of(Change::Grown),
        of(Change::Shrunk)
    )?;
    for group in report.new_errors().take(GROUPS_SHOWN) {
        writeln!(
            out,
            "  {:>13}  new: {} {}: {}",
            grouped(group.documents),
            group.code,
            group.pointer,
            group.message
        )?;
    }
    Ok(())
}

fn write_next(report: &RunReport, out: &mut String) -> std::fmt::Result {
    let Some(rejects) = &report.rejects else {
        if report.documents.rejected > 0 && report.outcome != Outcome::Failed {
            writeln!(out, "\n  to keep the rejected lines, name a folder: --rejects DIR")?;
        }
        return Ok(());
    };
    writeln!(out, "\n  rejected lines:  {}", rejects.documents)?;
    writeln!(out, "  why, for each:   {}", rejects.errors)?;
    if matches!(report.outcome, Outcome::CompleteWithRejects) {
        writeln!(out, "  next:            fix them in place, then run the same command on that file")?;
    }
    Ok(())
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is shown in whole numbers"
)]
fn grouped_rate(rate: f64) -> String {
    grouped(rate.round() as u64)
}

fn seconds(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = std::time::Duration::from_secs_f64(seconds.round());
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
