//! Where the figures come from, and what to do next.

use maud::{Markup, html};

use super::shown::shown;
use crate::report::{Outcome, RunReport, grouped};

/// Inputs that are listed.
const INPUTS_MAX: usize = 100;

pub(super) fn section(report: &RunReport) -> Markup {
    html! {
        (next_steps(report))
        section aria-labelledby="provenance" {
            h2 id="provenance" { "Where this comes from" }
            dl {
                dt { "Program" } dd { (shown(&report.tool.name)) " " (shown(&report.tool.version)) ", " (shown(&report.command)) }
                dt { "Database" } dd { @if let Some(name) = &report.database { (shown(name)) } @else { "no database" } }
                @if let Some(id) = report.run_id { dt { "Run" } dd { (id) } }
                dt { "Began" } dd { (shown(&report.started_at)) }
                dt { "Took" } dd { (format!("{:.3} s", report.elapsed_seconds)) }
                dt { "JSON Schema" } dd { (shown(&report.schema.source)) ", SHA-256 " code { (shown(&report.schema.sha256)) } }
                @if let Some(map) = &report.map {
                    dt { "Map" }
                    dd { (shown(&map.source)) ", SHA-256 " code { (shown(&map.sha256)) } "; places of faults are those of the mapped documents" }
                }
                @if let Some(plan) = &report.plan {
                    dt { "Plan" } dd { (plan.words()) ", BLAKE3 " code { (shown(&plan.digest)) } }
                }
                @for (name, value) in &report.settings { dt { "--" (shown(name)) } dd { (shown(value)) } }
                @if let Some(rejects) = &report.rejects {
                    dt { "Rejected lines" } dd { code { (shown(&rejects.documents)) } }
                    dt { "Why, for each" } dd { code { (shown(&rejects.errors)) } }
                }
            }
            (inputs(report))
        }
    }
}

fn inputs(report: &RunReport) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Inputs" {
            table {
                caption { "Inputs" }
                thead {
                    tr {
                        th scope="col" { "Source" }
                        th.number scope="col" { "Documents" }
                        th.number scope="col" { "Rejected" }
                        th.number scope="col" { "Bytes" }
                        th scope="col" { "Digest" }
                    }
                }
                tbody {
                    @for input in report.inputs.iter().take(INPUTS_MAX) {
                        tr {
                            td.text { (shown(&input.source)) }
                            td.number { (grouped(input.documents)) }
                            td.number { (grouped(input.rejected)) }
                            td.number { @if let Some(bytes) = input.bytes { (grouped(bytes)) } @else { "not read to its end" } }
                            td { code { @if let Some(digest) = &input.digest { (shown(digest)) } @else { "–" } } }
                        }
                    }
                }
            }
        }
        @if report.inputs.len() > INPUTS_MAX {
            p.quiet { (report.inputs.len() - INPUTS_MAX) " more inputs are in the JSON report." }
        }
    }
}

/// Commands ready to copy; file names in them are quoted for a shell.
fn next_steps(report: &RunReport) -> Markup {
    let commands = commands(report);
    html! {
        section aria-labelledby="next" {
            h2 id="next" { "Next steps" }
            @for (words, command) in &commands {
                p { (words) }
                @if let Some(command) = command { pre { (command) } }
            }
        }
    }
}

fn commands(report: &RunReport) -> Vec<(&'static str, Option<String>)> {
    let program = format!("profile-loader {}", shown(&report.command));
    let sources: Vec<_> = report.inputs.iter().take(3).map(|input| quoted(&input.source)).collect();
    let more = if report.inputs.len() > sources.len() { " …" } else { "" };
    let inputs = format!("{}{more}", sources.join(" "));
    // The reject files have documents as they were in the input.
    let map = report.map.as_ref().map_or_else(String::new, |map| format!(" --map {}", quoted(&map.source)));
    let mut steps = Vec::new();
    match report.outcome {
        Outcome::Failed | Outcome::Interrupted => {
            steps.push(("The run did not come to its end; the same command goes on with it.", None));
        }
        _ => {}
    }
    if report.documents.rejected > 0 {
        match &report.rejects {
            Some(rejects) => {
                let command = format!("{program} {}{map}", quoted(&rejects.documents));
                steps.push((
                    "Fix the rejected lines in place, then run the same command on their file:",
                    Some(command),
                ));
            }
            None => {
                let command = format!("{program} {inputs}{map} --rejects rejects");
                steps.push(("Keep the rejected lines, each with its reasons, in a folder:", Some(command)));
            }
        }
    }
    if report.load.is_none() && report.documents.accepted > 0 {
        steps.push((
            "Load what is sound; what is not goes to the reject files:",
            Some(format!("profile-loader load {inputs}{map} --database-url 'postgresql://…'")),
        ));
    }
    if steps.is_empty() {
        steps.push(("Nothing is left to do.", None));
    }
    steps
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    let text = shown(text);
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-=:".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_a_shell() {
        assert_eq!(
            (quoted("a/b-1.ndjson"), quoted("a b"), quoted("it's")),
            ("a/b-1.ndjson".into(), "'a b'".into(), r"'it'\''s'".into())
        );
    }
}
