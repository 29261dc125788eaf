//! What came of it, in one sentence and in counts that add up.

use maud::{Markup, html};

use super::shown::{documents, percent, shown};
use crate::report::{Outcome, RunReport, grouped};

pub(super) fn title(report: &RunReport) -> String {
    format!("{}: {}", shown(&report.command), in_short(report))
}

fn in_short(report: &RunReport) -> String {
    let counts = &report.documents;
    match report.outcome {
        Outcome::Complete if counts.read == 0 => "the input holds no document".to_owned(),
        Outcome::Complete => format!("all {} are sound", documents(counts.read)),
        Outcome::CompleteWithRejects => format!(
            "{} of {} rejected ({})",
            grouped(counts.rejected),
            documents(counts.read),
            percent(counts.rejected, counts.read)
        ),
        Outcome::RejectLimit => {
            format!("stopped, {} rejected is more than allowed", grouped(counts.rejected))
        }
        Outcome::Failed => "stopped by a failure before the end of the input".to_owned(),
        Outcome::Interrupted => "stopped by a signal before the end of the input".to_owned(),
    }
}

pub(super) fn section(report: &RunReport) -> Markup {
    let is_good = report.outcome == Outcome::Complete;
    html! {
        header.verdict.(if is_good { "good" } else { "bad" }) {
            h1 { (sentence(report)) }
            p.quiet {
                (inputs(report)) ", " (shown(&report.started_at)) ", " (format!("{:.1} s", report.elapsed_seconds))
                ", exit code " (report.exit_code)
            }
            @if let Some(failure) = &report.failure { p { "Why it stopped: " (shown(failure)) } }
        }
        (counts(report))
        (load_counts(report))
    }
}

fn sentence(report: &RunReport) -> String {
    let limit = report.settings.get("max-rejects").map(String::as_str);
    let against = match limit {
        Some("none") | None => String::new(),
        Some(limit) => format!(", --max-rejects {}", shown(limit)),
    };
    let sign = if report.outcome == Outcome::Complete { "✓" } else { "✗" };
    let short = in_short(report);
    let mut chars = short.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{sign} {first}{}{against}.", chars.as_str())
}

fn inputs(report: &RunReport) -> String {
    match &report.inputs[..] {
        [one] if one.source == "-" => "standard input".to_owned(),
        [one] => shown(&one.source),
        inputs => format!("{} inputs", grouped(u64::try_from(inputs.len()).unwrap_or(u64::MAX))),
    }
}

fn counts(report: &RunReport) -> Markup {
    let counts = &report.documents;
    html! {
        ul.counts aria-label="Documents" {
            li { b { (grouped(counts.read)) } "documents read" }
            li { b { (grouped(counts.accepted)) } "accepted, " (percent(counts.accepted, counts.read)) }
            li { b { (grouped(counts.rejected)) } "rejected, " (percent(counts.rejected, counts.read)) }
            @if report.map.is_some() || counts.dropped > 0 {
                li { b { (grouped(counts.dropped)) } "dropped by the map" }
            }
            @if counts.blank > 0 { li { b { (grouped(counts.blank)) } "blank lines" } }
        }
        p.quiet {
            "Read = accepted + rejected"
            @if report.map.is_some() || counts.dropped > 0 { " + dropped" }
            "; blank lines hold no document."
        }
    }
}

fn load_counts(report: &RunReport) -> Markup {
    let Some(load) = &report.load else { return Markup::default() };
    let would = if report.dry_run.is_some() { "would be " } else { "" };
    let parts = [
        (load.inserted, "inserted"),
        (load.updated, "updated"),
        (load.unchanged, "unchanged"),
        (load.skipped, "skipped"),
        (load.not_loaded, "not loaded"),
        (load.unknown, "outcome not known"),
    ];
    html! {
        ul.counts aria-label="What became of the accepted documents" {
            @for (count, words) in parts {
                @if count > 0 || matches!(words, "inserted" | "updated" | "unchanged" | "skipped") {
                    li { b { (grouped(count)) } (would) (words) }
                }
            }
            li { b { (grouped(load.rows.total())) } @if would.is_empty() { "rows written" } @else { "rows would be written" } }
        }
        p.quiet {
            "Accepted = inserted + updated + unchanged + skipped"
            @if load.not_loaded + load.unknown + load.settled_earlier > 0 {
                " + not loaded + outcome not known, less " (grouped(load.settled_earlier))
                " that an earlier attempt had settled"
            }
            "; strategy " (shown(&load.strategy)) ", " (load.connections) " connections."
        }
    }
}
