//! What is made of a report, whatever is in it.

use profile_loader::{
    RunReport,
    internals::report::fuzzing::{Forms, read},
};

use crate::page;

const PAGE_BYTES_MAX: usize = 500_000;

/// What pages may be made of.
const PARTS: &str = include_str!("page-parts.txt");

/// The page is bounded and harmless, the table is one, and the report is read as it was written.
pub fn check(report: &RunReport) {
    let forms = Forms::of(report);
    assert!(forms.page.len() < PAGE_BYTES_MAX, "{} bytes", forms.page.len());
    let known: page::Parts = PARTS.lines().map(str::to_owned).collect();
    let parts = page::parts(&forms.page);
    let unknown: Vec<_> = parts.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    are_cells(&forms.table);
    let is_hidden = |c: char| c.is_control() && c != '\n';
    assert!(!forms.summary.contains(is_hidden), "a terminal is told nothing");

    let again = read(report.to_json().as_bytes()).expect("what was written is read");
    assert_eq!(again.to_json(), report.to_json());
}

/// As many cells in each line, and none of them a formula.
fn are_cells(table: &str) {
    let (mut cells, mut lines) = (Vec::new(), Vec::new());
    let mut rest = table;
    while let Some(quoted) = rest.strip_prefix('"') {
        let mut end = 0;
        loop {
            end += quoted[end..].find('"').expect("a cell has an end");
            if !quoted[end + 1..].starts_with('"') {
                break;
            }
            end += 2;
        }
        assert!(!quoted[..end].starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "no cell is a formula");
        cells.push(&quoted[..end]);
        rest = &quoted[end + 1..];
        if let Some(after) = rest.strip_prefix("\r\n") {
            lines.push(std::mem::take(&mut cells).len());
            rest = after;
        } else {
            rest = rest.strip_prefix(',').expect("cells are separated");
        }
    }
    assert!(rest.is_empty() && cells.is_empty());
    assert!(lines.iter().all(|cells| *cells == 16), "{lines:?}");
}
