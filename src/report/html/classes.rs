//! Kinds of faults: what to fix first, then all of them with their places and samples.

use std::collections::HashSet;

use maud::{Markup, html};

use super::{
    charts::histogram,
    shown::{percent, shown},
};
use crate::report::{Before, Change, ErrorGroup, RunReport, grouped, meaning};

/// Steps of the first table.
const STEPS_MAX: usize = 20;

/// How long the detailed part of the page may get, and that of the kinds of which only a row is shown.
const DETAILS_BYTES_MAX: usize = 240_000;
const ROWS_BYTES_MAX: usize = 90_000;

/// "If you fix only this": the order that frees most documents.
pub(super) fn fix_first(report: &RunReport) -> Markup {
    if report.errors.is_empty() {
        return Markup::default();
    }
    let anchors = anchors(&report.errors);
    let rejected = report.documents.rejected;
    html! {
        section aria-labelledby="fix-first" {
            h2 id="fix-first" { "If you fix only this" }
            p {
                "In this order, fixing one kind of fault after another frees most documents. A document with several \
                 kinds of faults is free once the last of them is fixed."
            }
            div.scroll tabindex="0" role="region" aria-label="What to fix first" {
                table {
                    thead {
                        tr {
                            th.number scope="col" { "Step" }
                            th scope="col" { "Fix" }
                            th.number scope="col" { "Documents freed" }
                            th.number scope="col" { "Freed so far" }
                            th.number scope="col" { "Share of the rejected" }
                            @if report.baseline.is_some() { th scope="col" { "Since the baseline" } }
                        }
                    }
                    tbody {
                        @for (index, step) in report.fix_order.iter().take(STEPS_MAX).enumerate() {
                            @let group = &report.errors[step.error];
                            tr {
                                td.number { (index + 1) }
                                td.text { a href={ "#" (anchors[step.error]) } { (name(group)) } " " (shown(&group.message)) }
                                td.number { (grouped(step.freed)) }
                                td.number { (grouped(step.freed_in_all)) }
                                td.number { (percent(step.freed_in_all, rejected)) }
                                @if report.baseline.is_some() { td { (since(report, step.error)) } }
                            }
                        }
                    }
                }
            }
            @if report.fix_order.len() > STEPS_MAX {
                p.quiet { "Later steps are in the JSON report (fix_order)." }
            }
        }
    }
}

/// Every kind of fault, as far as the page has room.
pub(super) fn all(report: &RunReport) -> Markup {
    let anchors = anchors(&report.errors);
    let (mut details, mut shown_groups) = (String::new(), 0);
    for (at, anchor) in anchors.iter().enumerate() {
        let part = detail(report, at, anchor).into_string();
        if details.len() + part.len() > DETAILS_BYTES_MAX {
            break;
        }
        details.push_str(&part);
        shown_groups += 1;
    }
    let (mut rows, mut listed) = (String::new(), shown_groups);
    for (group, anchor) in report.errors.iter().zip(&anchors).skip(shown_groups) {
        let part = row(report, group, anchor).into_string();
        if rows.len() + part.len() > ROWS_BYTES_MAX {
            break;
        }
        rows.push_str(&part);
        listed += 1;
    }
    let left = report.errors.len() - listed;
    html! {
        section aria-labelledby="faults" {
            h2 id="faults" { "What is wrong" }
            @if report.errors.is_empty() { p { "Nothing was found." } }
            (maud::PreEscaped(details))
            @if !rows.is_empty() {
                h3 { "Further kinds of faults" }
                div.scroll tabindex="0" role="region" aria-label="Further kinds of faults" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Fault" }
                                th.number scope="col" { "Documents" }
                                th scope="col" { "First" }
                            }
                        }
                        tbody { (maud::PreEscaped(rows)) }
                    }
                }
            }
            @if left > 0 || report.errors_not_listed > 0 {
                p.quiet {
                    (grouped(u64::try_from(left).unwrap_or(u64::MAX)))
                    " more kinds of faults are in the JSON report"
                    @if report.errors_not_listed > 0 {
                        "; " (grouped(report.errors_not_listed)) " faults are of kinds beyond the first 1,000"
                    }
                    "."
                }
            }
        }
    }
}

fn detail(report: &RunReport, at: usize, anchor: &str) -> Markup {
    let group = &report.errors[at];
    let meaning = meaning(&group.code);
    let read = report.documents.read;
    html! {
        article.class id=(anchor) aria-labelledby={ (anchor) "-name" } {
            h3 id={ (anchor) "-name" } { (name(group)) " " a href={ "#" (anchor) } aria-label="Link to this kind of fault" { "#" } }
            p { b { (shown(&group.message)) } }
            p { (meaning.words) " " (meaning.fix) }
            @if let Some(jq) = &group.jq {
                p { "As a line of " code { "--map" } ", where it is so throughout: " code { (shown(jq)) } }
            }
            dl {
                dt { "Documents" }
                dd {
                    (grouped(group.documents)) ", " (percent(group.documents, read)) " of those read; in "
                    (grouped(group.only_fault_of)) " nothing else is wrong"
                }
                dt { "Occurrences" }
                dd { (grouped(group.count)) }
                @if !group.schema_path.is_empty() {
                    dt { "Rule of the JSON Schema" }
                    dd { code { (shown(&group.schema_path)) } }
                }
                dt { "First, last" }
                dd {
                    (shown(&group.first.source)) ", line " (grouped(group.first.line)) "; "
                    (shown(&group.last.source)) ", line " (grouped(group.last.line))
                }
                @if report.baseline.is_some() {
                    dt { "Since the baseline" }
                    dd { (since(report, at)) }
                }
                dt { "Along the input" }
                dd { (histogram(report, group)) }
            }
            div.scroll tabindex="0" role="region" aria-label={ "Samples of " (name(group)) } {
                table {
                    caption { "Samples, drawn at random" }
                    thead {
                        tr {
                            th scope="col" { "Source" }
                            th.number scope="col" { "Line" }
                            th.number scope="col" { "Byte offset" }
                            th scope="col" { "Shape of the value" }
                        }
                    }
                    tbody {
                        @for sample in &group.samples {
                            tr {
                                td.text { (shown(&sample.place.source)) }
                                td.number { (sample.place.line) }
                                td.number { (sample.place.byte_offset) }
                                td { @if sample.shape.is_empty() { "–" } @else { code { (shown(&sample.shape)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a kind of fault was before.
fn since(report: &RunReport, at: usize) -> String {
    let Some(baseline) = &report.baseline else { return String::new() };
    let Before { documents, change } = baseline.errors[at];
    let was = percent(documents, baseline.documents_read);
    match change {
        Change::New => "+ new".to_owned(),
        Change::Grown => format!("▲ grown, was {was}"),
        Change::Shrunk => format!("▼ shrunk, was {was}"),
        Change::Same => format!("= same, was {was}"),
    }
}

/// Kinds of faults that have gone, and what of the field profile has moved.
pub(super) fn since_baseline(report: &RunReport) -> Markup {
    const ROWS_MAX: usize = 60;
    let Some(baseline) = &report.baseline else { return Markup::default() };
    html! {
        section aria-labelledby="baseline" {
            h2 id="baseline" { "Since the baseline" }
            p {
                "The earlier run began " (shown(&baseline.started_at)) " and rejected "
                (grouped(baseline.documents_rejected)) " of " (grouped(baseline.documents_read)) " ("
                (percent(baseline.documents_rejected, baseline.documents_read)) "). Grown and shrunk is what differs by more \
                 than chance does, and by a tenth at least."
            }
            h3 { "Gone" }
            @if baseline.gone.is_empty() { p { "Nothing." } }
            ul {
                @for gone in baseline.gone.iter().take(ROWS_MAX) {
                    li { code { (shown(&gone.code)) " " (shown(&gone.pointer)) } " " (shown(&gone.message)) ": " (grouped(gone.documents)) }
                }
            }
            h3 { "Moved in the field profile" }
            @if baseline.moved.is_empty() { p { "Nothing." } }
            ul {
                @for moved in baseline.moved.iter().take(ROWS_MAX) {
                    li { code { (shown(&moved.pointer)) } " " (shown(&moved.what)) ": " (format!("{:.2}", moved.before)) " → " (format!("{:.2}", moved.now)) }
                }
            }
        }
    }
}

fn row(report: &RunReport, group: &ErrorGroup, anchor: &str) -> Markup {
    html! {
        tr id=(anchor) {
            td.text { (name(group)) " " (shown(&group.message)) }
            td.number { (grouped(group.documents)) ", " (percent(group.documents, report.documents.read)) }
            td { (shown(&group.first.source)) ", line " (grouped(group.first.line)) }
        }
    }
}

/// The code and the place.
fn name(group: &ErrorGroup) -> Markup {
    html! {
        code { (shown(&group.code)) @if !group.pointer.is_empty() { " " (shown(&group.pointer)) } }
    }
}

/// Names to link to, such as `schema-format-emails`, each once.
fn anchors(groups: &[ErrorGroup]) -> Vec<String> {
    let mut taken = HashSet::new();
    let anchor = |group: &ErrorGroup| {
        let text = format!("{} {}", group.code, group.pointer);
        let words: Vec<_> =
            text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let mut name: String = words.join("-").chars().take(60).collect();
        let base = name.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        name
    };
    groups.iter().map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{LineCells, Place};

    #[test]
    fn each_kind_has_a_name_to_link_to() {
        let place = || Place { source: "a".to_owned(), input: 0, line: 1, byte_offset: 0 };
        let group = |code: &str, pointer: &str| ErrorGroup {
            code: code.to_owned(),
            pointer: pointer.to_owned(),
            schema_path: String::new(),
            message: String::new(),
            count: 1,
            documents: 1,
            only_fault_of: 1,
            first: place(),
            last: place(),
            at: LineCells::new(1),
            samples: Vec::new(),
            jq: None,
        };
        let groups = [
            group("schema:format", "/emails/*"),
            group("schema:format", "/emails/?"),
            group("json:syntax", ""),
        ];
        assert_eq!(anchors(&groups), ["schema-format-emails", "schema-format-emails-2", "json-syntax"]);
    }
}
