//! What a load would do to the database.

use maud::{Markup, html};

use super::shown::{sentence, shown};
use crate::report::{DryRun, RunReport, grouped};

/// How many lines of a list the page has room for.
const LINES_SHOWN: usize = 100;

pub(super) fn section(report: &RunReport) -> Markup {
    let Some(dry_run) = &report.dry_run else { return Markup::default() };
    let strategy = report.load.as_ref().map_or("", |load| &load.strategy);
    html! {
        section aria-labelledby="dry-run" {
            h2 id="dry-run" { "What the load would do" }
            p { "This was a dry run: nothing was changed in the database. " (estimate(dry_run)) }
            (list("It would not begin", &dry_run.refusals))
            (list("Take care", &dry_run.warnings))
            (list("It would apply", &dry_run.ddl))
            (list("The tables differ from what they should be, which a load can bear", &dry_run.differences))
            @if let Some(id) = dry_run.resumes {
                p { "It would resume run " (id) "; what that has loaded is compared here with what is stored, like all else." }
            }
            p {
                "Strategy " b { (shown(strategy)) }
                @if let Some(because) = &dry_run.because { ", because " (shown(because)) }
                "."
            }
            (rows(dry_run))
            (columns(dry_run))
            @if dry_run.forgotten > 0 {
                p {
                    (grouped(dry_run.forgotten)) " documents came when no more could be remembered: later ones with the \
                    same id were compared with what is stored, so counts may be off by the number of those."
                }
            }
            @if dry_run.unforeseen.is_empty() {
                p.quiet { "The tables have no triggers, rules or constraints besides those they come with." }
            } @else {
                (list("Not foreseen, since only writing tells, is what these refuse or change", &dry_run.unforeseen))
            }
        }
    }
}

fn estimate(dry_run: &DryRun) -> String {
    match &dry_run.estimate {
        Some(estimate) if estimate.runs.is_empty() => format!(
            "The load takes longer than the {:.1} s of this look; there is no earlier run here to go by.",
            estimate.seconds
        ),
        Some(estimate) => {
            let runs: Vec<_> = estimate.runs.iter().map(ToString::to_string).collect();
            format!(
                "The load takes about {:.1} s at the pace of earlier runs on this server ({}).",
                estimate.seconds,
                runs.join(", ")
            )
        }
        None => String::new(),
    }
}

fn rows(dry_run: &DryRun) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Rows that would be written" {
            table {
                caption { "Rows that would be written" }
                thead {
                    tr {
                        th scope="col" { "table" }
                        th.number scope="col" { "added" }
                        th.number scope="col" { "changed" }
                        th.number scope="col" { "removed" }
                    }
                }
                tbody {
                    @for table in dry_run.rows.iter().take(LINES_SHOWN) {
                        tr {
                            th scope="row" { (shown(&table.table)) }
                            td.number { (grouped(table.added)) }
                            td.number { (grouped(table.changed)) }
                            td.number { (grouped(table.removed)) }
                        }
                    }
                }
            }
        }
    }
}

fn columns(dry_run: &DryRun) -> Markup {
    if dry_run.columns.is_empty() {
        return Markup::default();
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Columns of stored profiles that would change" {
            table {
                caption { "Columns of stored profiles that would change" }
                thead { tr { th scope="col" { "column" } th.number scope="col" { "profiles" } } }
                tbody {
                    @for column in dry_run.columns.iter().take(LINES_SHOWN) {
                        tr {
                            th scope="row" { (shown(&column.table)) "." (shown(&column.column)) }
                            td.number { (grouped(column.profiles)) }
                        }
                    }
                }
            }
        }
    }
}

fn list(head: &str, lines: &[String]) -> Markup {
    if lines.is_empty() {
        return Markup::default();
    }
    html! {
        p { (head) ":" }
        ul {
            @for line in lines.iter().take(LINES_SHOWN) { li { (sentence(line)) } }
            @if lines.len() > LINES_SHOWN { li { "and " (lines.len() - LINES_SHOWN) " more" } }
        }
    }
}
