//! The report of a run that has come to an end of some kind; pure but for the clock.

use super::{
    database::exit_code_of,
    failure::{chain, exit},
    inputs::{ReportHeader, exit_code_of_input},
    output::unwritten,
    signals,
};
use crate::{
    pipeline::{End, Finished},
    report::{
        DocumentCounts, Input, LoadReport, Outcome, RejectFilesReport, RejectPaths, RunReport, Throughput,
        Tool,
    },
};

/// What the report says about a load besides what it did.
#[derive(Debug, Clone)]
pub(super) struct LoadHeader {
    /// None of a dry run.
    pub(super) run_id: Option<i64>,
    pub(super) database: Option<String>,
    pub(super) strategy: &'static str,
    pub(super) connections: usize,
}

/// Puts the report together and checks that its counts add up. A bug gets none: see [`End::Panicked`].
pub(super) fn conclude(
    header: ReportHeader,
    mut finished: Finished,
    load: Option<LoadHeader>,
    rejects: Option<RejectPaths>,
) -> RunReport {
    let (outcome, exit_code, failure) =
        outcome(&finished.end, finished.tally.rejected, header.accept_rejects);
    let elapsed_seconds = header.started.elapsed().as_secs_f64();
    let faults = finished.tally.take_faults();
    let documents = DocumentCounts::of(&finished.tally);
    let (run_id, database) = load.as_ref().map_or((None, None), |load| (load.run_id, load.database.clone()));
    let load_report = load.map(|load| load_report(&load, &finished));
    let details = finished.tally.details.take();
    let mut report = RunReport {
        format: RunReport::FORMAT,
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        command: header.command.to_owned(),
        run_id,
        outcome,
        exit_code,
        failure,
        started_at: humantime::format_rfc3339_millis(header.started_at).to_string(),
        elapsed_seconds,
        settings: header.settings,
        database,
        schema: header.schema,
        map: header.map,
        inputs: inputs(&header.source_names, &finished),
        plan: header.plan,
        documents,
        load: load_report,
        retry: None,
        dry_run: None,
        errors: Vec::new(),
        errors_not_listed: 0,
        combinations: Vec::new(),
        combinations_not_listed: 0,
        fix_order: Vec::new(),
        read_at: finished.tally.read_at,
        rejected_at: finished.tally.rejected_at,
        duplicates: details.is_some().then(|| finished.seen_ids.into_duplicates()).flatten(),
        baseline: None,
        fields: details.map(|details| details.fields.into_profile()),
        rejects: rejects.map(|paths| RejectFilesReport {
            documents: crate::path_text::path_text(&paths.documents),
            errors: crate::path_text::path_text(&paths.errors),
        }),
        throughput: Throughput::of(documents.read, finished.bytes, elapsed_seconds),
        timeline: Some(finished.timeline),
    };
    report.set_faults(faults);
    if let Some(baseline) = &header.baseline {
        report.compare_with(baseline);
        let is_whole = matches!(outcome, Outcome::Complete | Outcome::CompleteWithRejects);
        if header.fail_on_new && is_whole && report.new_errors().next().is_some() {
            report.exit_code = exit::REJECT_LIMIT;
        }
    }
    report.assert_adds_up();
    report
}

fn load_report(load: &LoadHeader, finished: &Finished) -> LoadReport {
    let counts = finished.load;
    LoadReport {
        strategy: load.strategy.into(),
        connections: load.connections,
        inserted: counts.inserted,
        updated: counts.updated,
        unchanged: counts.unchanged,
        skipped: counts.skipped,
        not_loaded: finished.not_loaded,
        unknown: finished.unknown,
        settled_earlier: finished.settled_earlier,
        retries: finished.retries,
        rows: counts.rows,
    }
}

fn inputs(names: &[String], finished: &Finished) -> Vec<Input> {
    let input = |(index, name): (usize, &String)| {
        let digest = finished.digests.get(index);
        Input {
            source: name.clone(),
            bytes: digest.map(|digest| digest.bytes),
            documents: finished.documents_of_sources[index],
            rejected: finished.tally.rejected_of.get(&index).copied().unwrap_or(0),
            lines: finished.lines_of_sources[index],
            digest: digest.and_then(|digest| digest.digest.as_ref()).map(|digest| format!("blake3:{digest}")),
        }
    };
    names.iter().enumerate().map(input).collect()
}

/// The exit code of what was ended before there was a report, and why it was.
pub(super) fn exit_code_of_end(end: &End) -> (u8, String) {
    let (_, exit_code, failure) = outcome(end, 0, false);
    (exit_code, failure.unwrap_or_else(|| "stopped by a signal".to_owned()))
}

fn outcome(end: &End, rejected: u64, accept_rejects: bool) -> (Outcome, u8, Option<String>) {
    let failed = |code, message| (Outcome::Failed, code, Some(message));
    match end {
        End::Complete if rejected == 0 => (Outcome::Complete, exit::COMPLETE, None),
        End::Complete if accept_rejects => (Outcome::CompleteWithRejects, exit::COMPLETE, None),
        End::Complete => (Outcome::CompleteWithRejects, exit::REJECTS, None),
        End::RejectLimit => (Outcome::RejectLimit, exit::REJECT_LIMIT, None),
        End::Signal(signal) => (Outcome::Interrupted, signals::exit_code(*signal), None),
        End::Input(error) => failed(exit_code_of_input(error), chain(error)),
        End::Lane(error) => failed(exit_code_of(error.class()), error.message()),
        End::Rejects(error) => failed(exit::TEMPORARY, chain(error)),
        End::Blocks(error) => failed(exit::TEMPORARY, unwritten(error)),
        End::Panicked => unreachable!("a bug gets no report"),
    }
}
