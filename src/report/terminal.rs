//! The summary for people, drawn from the report.

use std::fmt::Write as _;

use super::{Change, DryRun, Outcome, RetryOf, RunReport};
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
    writeln!(out, "{}", end_words(report))?;
    if let Some(RetryOf { run_id, rejected, fixed }) = report.retry {
        writeln!(out, "retry of run {run_id}: {} of {} fixed", grouped(fixed), grouped(rejected))?;
    }
    if let Some(plan) = &report.plan {
        writeln!(out, "{}", plan.words())?;
    }
    write_counts(report, out)?;
    if !report.errors.is_empty() {
        write_errors(report, out)?;
    }
    write_since(report, out)?;
    if let Some(dry_run) = &report.dry_run {
        write_dry_run(report, dry_run, out)?;
    }
    write_next(report, out)
}

/// How a run has ended, in a line.
pub(crate) fn end_words(report: &RunReport) -> String {
    format!("{}: {}", report.command, outcome_words(report.outcome))
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
        let would = if report.dry_run.is_some() { "would be " } else { "" };
        for (count, words) in [
            (load.inserted, "inserted"),
            (load.updated, "updated"),
            (load.unchanged, "unchanged"),
            (load.skipped, "skipped"),
        ] {
            writeln!(out, "  {:>15}  {would}{words}", grouped(count))?;
        }
        for (count, words) in [
            (load.not_loaded, if report.dry_run.is_some() { "not looked at" } else { "not loaded" }),
            (load.unknown, "outcome not known: COMMIT was not answered; the same command finds out"),
        ] {
            if count > 0 {
                writeln!(out, "  {:>15}  {words}", grouped(count))?;
            }
        }
    }
    writeln!(out, "  {:>13}  rejected", grouped(documents.rejected))?;
    if report.map.is_some() || documents.dropped > 0 {
        writeln!(out, "  {:>13}  dropped by the map", grouped(documents.dropped))?;
    }
    if documents.blank > 0 {
        writeln!(out, "  {:>13}  blank lines", grouped(documents.blank))?;
    }
    if let Some(load) = &report.load {
        let words = if report.dry_run.is_some() { "rows would be written" } else { "rows written" };
        writeln!(out, "  {:>13}  {words}", grouped(load.rows.total()))?;
    }
    Ok(())
}

fn write_errors(report: &RunReport, out: &mut String) -> std::fmt::Result {
    let RunReport { errors, errors_not_listed: not_listed, map, .. } = report;
    let is_mapped = map.is_some();
    let of_what = if is_mapped { " (places are those of the mapped documents)" } else { "" };
    writeln!(out, "\n      documents  what is wrong{of_what}")?;
    for group in errors.iter().take(GROUPS_SHOWN) {
        let place = if group.pointer.is_empty() { String::new() } else { format!(" {}", group.pointer) };
        writeln!(out, "  {:>13}  {}{place}: {}", grouped(group.documents), group.code, group.message)?;
        writeln!(out, "  {:>13}  first at {}, line {}", "", group.first.source, group.first.line)?;
        if let Some(jq) = &group.jq {
            writeln!(out, "  {:>13}  a --map may fix it: {jq}", "")?;
        }
    }
    let more = errors.len().saturating_sub(GROUPS_SHOWN);
    if more > 0 || *not_listed > 0 {
        writeln!(out, "  {:>13}  and {more} other kinds of faults (--output json lists them)", "")?;
    }
    Ok(())
}

/// What a load would do besides.
fn write_dry_run(report: &RunReport, dry_run: &DryRun, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n  nothing was changed in the database; the load would")?;
    for ddl in &dry_run.ddl {
        writeln!(out, "    apply {ddl}")?;
    }
    if let Some(id) = dry_run.resumes {
        writeln!(
            out,
            "    resume run {id}; what that has loaded is compared here with what is stored, like all else"
        )?;
    }
    if let Some(load) = &report.load {
        let because =
            dry_run.because.as_ref().map_or_else(String::new, |because| format!(", because {because}"));
        writeln!(out, "    use strategy {}{because}", load.strategy)?;
    }
    for table in dry_run.rows.iter().filter(|table| table.added + table.changed + table.removed > 0) {
        let counts = [(table.added, "add"), (table.changed, "change"), (table.removed, "remove")];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, verb)| format!("{verb} {}", grouped(count)))
            .collect();
        writeln!(out, "    {} rows of {}", counts.join(", "), table.table)?;
    }
    for column in &dry_run.columns {
        writeln!(
            out,
            "    change {}.{} of {} profiles",
            column.table,
            column.column,
            grouped(column.profiles)
        )?;
    }
    if let Some(estimate) = &dry_run.estimate {
        let time = seconds(estimate.seconds);
        match &estimate.runs[..] {
            [] => writeln!(out, "    take more than the {time} of this look (no earlier run here to go by)")?,
            runs => {
                let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
                writeln!(out, "    take about {time}, at the pace of earlier runs ({})", runs.join(", "))?;
            }
        }
    }
    let lists = [
        ("the load would not begin", &dry_run.refusals),
        ("these tables differ from what they should be", &dry_run.differences),
        ("take care", &dry_run.warnings),
    ];
    for (head, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        writeln!(out, "\n  {head}:")?;
        list.iter().try_for_each(|text| writeln!(out, "    {text}"))?;
    }
    write_unforeseen(dry_run, out)
}

fn write_unforeseen(dry_run: &DryRun, out: &mut String) -> std::fmt::Result {
    if dry_run.forgotten > 0 {
        writeln!(
            out,
            "\n  {} documents came when no more could be remembered: later ones with the same id were compared with what \
             is stored, so counts may be off by the number of those",
            grouped(dry_run.forgotten)
        )?;
    }
    if !dry_run.unforeseen.is_empty() {
        writeln!(out, "\n  not foreseen, since only writing tells, is what these refuse or change:")?;
        for what in dry_run.unforeseen.iter().take(GROUPS_SHOWN) {
            writeln!(out, "    {what}")?;
        }
        let more = dry_run.unforeseen.len().saturating_sub(GROUPS_SHOWN);
        if more > 0 {
            writeln!(out, "    and {more} more (--output json lists them)")?;
        }
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
        let words = match report.dry_run {
            Some(_) => "the load rejects these; fix them before, or load and fix them then",
            None if report.command == "validate" => {
                "fix them in place, then check that file without --rejects, or with another folder"
            }
            None => "fix them in place, then run the same command on that file",
        };
        writeln!(out, "  next:            {words}")?;
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
