//! The report as one HTML page: no script, no network, no value of a customer.

mod charts;
mod classes;
mod dry_run;
mod fields;
mod provenance;
mod shown;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use shown::shown;

use super::RunReport;

/// Neither scripts nor anything from elsewhere, whatever gets into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page of a report. Its size has a bound, whatever is in the report.
pub(crate) fn page(report: &RunReport) -> String {
    let title = verdict::title(report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ (shown(&report.tool.name)) " " (shown(&report.tool.version)) };
                title { (title) }
                style { (PreEscaped(include_str!("report.css"))) }
            }
            body {
                main {
                    (verdict::section(report))
                    (dry_run::section(report))
                    (classes::fix_first(report))
                    (classes::since_baseline(report))
                    (charts::along_the_input(report))
                    (classes::all(report))
                    (fields::profile(report))
                    (fields::duplicates(report))
                    (charts::over_time(report))
                    (provenance::section(report))
                }
            }
        }
    }
    .into_string()
}

/// A table's data beside a picture.
fn data_table(summary: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Markup {
    html! {
        details {
            summary { (summary) }
            div.scroll tabindex="0" role="region" aria-label=(summary) {
                table {
                    thead { tr { @for cell in head { th.number scope="col" { (cell) } } } }
                    tbody { @for row in rows { tr { @for cell in row { td.number { (cell) } } } } }
                }
            }
        }
    }
}
