//! Runs as text.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    path_text::visible,
    report::grouped,
    runs::{
        PendingStep,
        history::{
            CommittedCounts, LaneRecord, PlanRecord, RunDocuments, RunInput, RunList, RunRecord, RunState,
        },
    },
};

/// How far apart columns are.
const GAP: &str = "  ";

/// Lines of cells; each column is as wide as its widest cell.
struct Table {
    /// Whether a column holds numbers, which stand at its right.
    is_number: &'static [bool],
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new<const COLUMNS: usize>(titles: [&str; COLUMNS], is_number: &'static [bool; COLUMNS]) -> Self {
        Self { is_number, lines: vec![titles.map(str::to_owned).to_vec()] }
    }

    fn push<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(COLUMNS, self.is_number.len(), "a cell for each column");
        self.lines.push(cells.map(|cell| visible(&cell).into_owned()).to_vec());
    }

    /// The lines without their ends, the titles first.
    fn lines(&self) -> Vec<String> {
        let width = |column: usize| {
            self.lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.is_number.len()).map(width).collect();
        let cell = |column: usize, cell: &String| {
            let width = widths[column];
            if self.is_number[column] {
                format!("{GAP}{cell:>width$}")
            } else {
                format!("{GAP}{cell:<width$}")
            }
        };
        let line = |cells: &Vec<String>| {
            let cells: String = cells.iter().enumerate().map(|(column, text)| cell(column, text)).collect();
            cells.trim_end().to_owned()
        };
        self.lines.iter().map(line).collect()
    }
}

pub(super) fn list(list: &RunList, db_schema: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_list(list, db_schema, &mut out);
    out
}

fn write_list(list: &RunList, db_schema: &str, out: &mut String) -> std::fmt::Result {
    if list.runs.is_empty() {
        writeln!(out, "no runs into schema {}", visible(db_schema))?;
    } else {
        let mut table = Table::new(
            ["run", "state", "started", "by", "documents", "rejected", "written", "input"],
            &[true, false, false, false, true, true, true, false],
        );
        for run in &list.runs {
            table.push([
                run.id.to_string(),
                run.state.to_string(),
                run.started_at.clone(),
                run.started_by.clone(),
                or_dash(run.documents.read),
                or_dash(run.documents.rejected),
                grouped(run.load.inserted + run.load.updated),
                in_short(&run.inputs),
            ]);
        }
        let lines = table.lines();
        writeln!(out, "{}", lines[0])?;
        for (line, run) in lines[1..].iter().zip(&list.runs) {
            writeln!(out, "{line}")?;
            if let Some(remains) = remains(run) {
                writeln!(out, "{GAP}{GAP}{remains}")?;
            }
        }
    }
    if list.older > 0 {
        writeln!(out, "{} older; --all lists them, too", grouped(list.older))?;
    }
    if list.into_other_schemas > 0 {
        writeln!(out, "{} into other schemas; --db-schema names one", grouped(list.into_other_schemas))?;
    }
    Ok(())
}

/// The first input and how many follow.
fn in_short(inputs: &[RunInput]) -> String {
    match inputs {
        [] => "-".to_owned(),
        [one] => source(one).to_owned(),
        [first, rest @ ..] => format!("{} +{}", source(first), rest.len()),
    }
}

fn source(input: &RunInput) -> &str {
    if input.source == "-" { "standard input" } else { &input.source }
}

/// What is to be done about a run.
fn remains(run: &RunRecord) -> Option<String> {
    match run.state {
        RunState::RUNNING if matches!(run.plan, Some(PlanRecord { part: None, .. })) => Some(format!(
            "a plan: once its parts are loaded, finish it with load --plan FILE --finish; to abandon it: profile-loader runs \
             abandon {}",
            run.id
        )),
        RunState::RUNNING => Some("a loader is at work on it".to_owned()),
        state if state.can_resume() && run.plan.is_some() => {
            Some("to resume it, load the same part again".to_owned())
        }
        state if state.can_resume() => Some(format!(
            "to resume it, run the same command again; to abandon it: profile-loader runs abandon {}",
            run.id
        )),
        _ => None,
    }
}

fn plan_text(plan: &PlanRecord) -> String {
    let PlanRecord { digest, run, part } = plan;
    match part {
        None => format!("all of {digest}"),
        Some(part) => format!("part {part} of {digest}, which is run {run}"),
    }
}

/// `pending` are statements that restore what a bulk load has dropped.
pub(super) fn show(run: &RunRecord, lanes: &[LaneRecord], pending: &[String]) -> String {
    let mut out = String::new();
    let _ = write_run(run, &mut out);
    let _ = write_inputs(&run.inputs, &mut out);
    let _ = write_lanes(run, lanes, &mut out);
    let _ = write_pending(pending, &mut out);
    out
}

fn write_pending(pending: &[String], out: &mut String) -> std::fmt::Result {
    if pending.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{GAP}dropped of the tables, and restored when the run is resumed or abandoned, by:")?;
    pending.iter().try_for_each(|sql| writeln!(out, "{GAP}{GAP}{};", visible(sql)))
}

fn write_run(run: &RunRecord, out: &mut String) -> std::fmt::Result {
    let settings = &run.settings;
    let atomic = if settings.atomic { ", --atomic" } else { "" };
    let from = run.host.as_ref().map_or_else(String::new, |host| format!(", from {host}"));
    let attempts = (run.attempts > 1).then(|| format!("{}, the last one {}", run.attempts, run.attempted_at));
    let shape = format!(
        "{}, {} lanes, --on-existing {}{atomic}",
        settings.strategy, settings.lanes, settings.on_existing
    );
    let lines = [
        ("into", Some(format!("schema {}", settings.db_schema))),
        ("plan", run.plan.as_ref().map(plan_text)),
        ("settings", Some(shape)),
        ("JSON Schema", Some(format!("sha256:{}", settings.json_schema_sha256))),
        ("map", settings.map_sha256.as_ref().map(|sha256| format!("sha256:{sha256}"))),
        ("by", Some(format!("profile-loader {}, as {}{from}", settings.tool_version, run.started_by))),
        ("started", Some(run.started_at.clone())),
        ("attempts", attempts),
        ("ended", run.ended_at.clone()),
        ("documents", Some(documents_text(run))),
        ("committed", Some(committed_text(&run.load))),
        ("rows written", Some(grouped(run.load.rows.total()))),
        ("failure", run.failure.clone()),
        ("remains", Some(remains(run).unwrap_or_else(|| "nothing".to_owned()))),
    ];
    writeln!(out, "run {}: {}\n", run.id, run.state)?;
    for (what, text) in lines {
        if let Some(text) = text {
            writeln!(out, "{GAP}{what:<14}{}", visible(&text))?;
        }
    }
    Ok(())
}

fn documents_text(run: &RunRecord) -> String {
    let RunDocuments { read, accepted, rejected, dropped } = run.documents;
    if read.is_none() {
        return "not known: the last attempt did not come to an end".to_owned();
    }
    let dropped = match run.settings.map_sha256 {
        Some(_) => format!(", {} dropped by the map", or_dash(dropped)),
        None => String::new(),
    };
    format!("{} read, {} accepted, {} rejected{dropped}", or_dash(read), or_dash(accepted), or_dash(rejected))
}

fn committed_text(load: &CommittedCounts) -> String {
    format!(
        "{} inserted, {} updated, {} unchanged, {} skipped, {} rejected by the server",
        grouped(load.inserted),
        grouped(load.updated),
        grouped(load.unchanged),
        grouped(load.skipped),
        grouped(load.rejected)
    )
}

fn write_inputs(inputs: &[RunInput], out: &mut String) -> std::fmt::Result {
    let mut table = Table::new(["input", "bytes", "digest"], &[false, true, false]);
    for input in inputs {
        let digest = input.digest.clone().unwrap_or_else(|| "not read to its end".to_owned());
        table.push([source(input).to_owned(), or_dash(input.bytes), digest]);
    }
    writeln!(out, "\n{}", table.lines().join("\n"))?;
    for input in inputs {
        if let Some(etag) = &input.etag {
            writeln!(out, "{GAP}{} has the ETag {etag}", source(input))?;
        }
    }
    Ok(())
}

fn write_lanes(run: &RunRecord, lanes: &[LaneRecord], out: &mut String) -> std::fmt::Result {
    let mut table = Table::new(
        ["lane", "attempt", "documents", "committed", "watermark"],
        &[true, true, true, false, false],
    );
    for lane in lanes {
        let load = &lane.load;
        let documents = load.inserted + load.updated + load.unchanged + load.skipped + load.rejected;
        let watermark = lane.watermark.as_ref().map_or_else(
            || "-".to_owned(),
            |watermark| {
                let input = usize::try_from(watermark.source).ok().and_then(|index| run.inputs.get(index));
                let name = match input {
                    // Lanes of a bulk load beyond its own merge the deferred documents.
                    _ if lane.lane >= run.settings.lanes => "the deferred documents",
                    Some(input) => source(input),
                    None => "an unknown input",
                };
                format!("byte {} of {name}, {}", watermark.byte_offset, watermark.digest)
            },
        );
        table.push([
            lane.lane.to_string(),
            lane.attempt.to_string(),
            grouped(documents),
            lane.committed_at.clone().unwrap_or_else(|| "-".to_owned()),
            watermark,
        ]);
    }
    writeln!(out, "\n{}", table.lines().join("\n"))
}

/// `left` is what could not be restored, because its table is missing.
pub(super) fn abandoned(run: &RunRecord, left: &[PendingStep]) -> String {
    let (inserted, updated) = (grouped(run.load.inserted), grouped(run.load.updated));
    let mut text = format!(
        "run {id} is abandoned; what it had loaded stays: {inserted} documents inserted, {updated} updated\n\
         its reject files (rejects.run-{id}.*, spill.run-{id}.*) can be deleted; the same command starts a new run now\n",
        id = run.id
    );
    if !left.is_empty() {
        let missing: BTreeSet<_> = left.iter().flat_map(|step| &step.missing_tables).collect();
        let missing: Vec<_> = missing.into_iter().map(String::as_str).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "not restored, because {} of schema {} is not there any more; 'profile-loader migrate verify' gives the SQL \
             that makes it, and these restore what the run had dropped of one that was only renamed, under its new name:",
            missing.join(" and "),
            run.settings.db_schema
        );
        for step in left {
            let _ = writeln!(text, "  {};", step.sql);
        }
    }
    text
}

fn or_dash(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| grouped(u64::try_from(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::new(["n", "name"], &[true, false]);
        table.push(["1,000".to_owned(), "é\u{1b}[31m".to_owned()]);
        table.push(["7".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["      n  name", "  1,000  é\\u{1b}[31m", "      7"]);
    }
}
