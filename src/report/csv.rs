//! The kinds of faults as a table for spreadsheets (RFC 4180).

use super::{ErrorGroup, RunReport, meaning};

const HEAD: [&str; 16] = [
    "code",
    "pointer",
    "message",
    "meaning",
    "fix",
    "schema_path",
    "occurrences",
    "documents",
    "documents_read",
    "only_fault_of",
    "first_source",
    "first_line",
    "last_source",
    "last_line",
    "fix_step",
    "jq",
];

pub(super) fn table(report: &RunReport) -> String {
    let mut table = line(&HEAD.map(str::to_owned));
    for (at, group) in report.errors.iter().enumerate() {
        let step = report.fix_order.iter().position(|step| step.error == at).map_or(0, |step| step + 1);
        table.push_str(&line(&row(report, group, step)));
    }
    table
}

fn row(report: &RunReport, group: &ErrorGroup, step: usize) -> [String; 16] {
    let meaning = meaning(&group.code);
    [
        group.code.clone(),
        group.pointer.clone(),
        group.message.clone(),
        meaning.words.to_owned(),
        meaning.fix.to_owned(),
        group.schema_path.clone(),
        group.count.to_string(),
        group.documents.to_string(),
        report.documents.read.to_string(),
        group.only_fault_of.to_string(),
        group.first.source.clone(),
        group.first.line.to_string(),
        group.last.source.clone(),
        group.last.line.to_string(),
        step.to_string(),
        group.jq.clone().unwrap_or_default(),
    ]
}

fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// In quotation marks; what a spreadsheet would take for a formula gets an apostrophe in front.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let harmless = if is_formula { "'" } else { "" };
    format!("\"{harmless}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_made_harmless() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(quoted(cell), format!("\"'{cell}\""));
        }
        assert_eq!(
            (quoted("a=1"), quoted("say \"x\", y")),
            ("\"a=1\"".into(), "\"say \"\"x\"\", y\"".into())
        );
    }
}
