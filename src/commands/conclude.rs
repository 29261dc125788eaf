//! The report of a run that has come to an end of some kind; pure but for the clock.

use super::{
    database::exit_code_of,
    failure::{chain, exit},
    inputs::{ReportHeader, exit_code_of_input},
    signals,
};
use crate::{
    input::SourceDigest,
    pipeline::{End, Finished},
    report::{
        DocumentCounts, ErrorGroup, Input, LoadReport, Outcome, RejectFilesReport, RejectPaths, RunReport,
        Throughput, Tool,
    },
};

/// What the report says about a load besides what it did.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadHeader {
    pub(super) run_id: i64,
    pub(super) strategy: &'static str,
    pub(super) connections: usize,
}

/// Puts the report together and checks that its counts add up. A bug gets none: see [`End::Panicked`].
pub(super) fn conclude(
    header: ReportHeader,
    finished: Finished,
    load: Option<LoadHeader>,
    rejects: Option<RejectPaths>,
) -> RunReport {
    let (outcome, exit_code, failure) = outcome(&finished.end, finished.tally.rejected);
    let elapsed_seconds = header.started.elapsed().as_secs_f64();
    let documents = DocumentCounts::of(&finished.tally);
    let inputs = inputs(&header.source_names, &finished.documents_of_sources, &finished.digests);
    let load_report = load.map(|load| load_report(load, &finished));
    let errors_not_listed = finished.tally.ungrouped_faults;
    let groups = finished.tally.into_groups();
    let report = RunReport {
        format: RunReport::FORMAT,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        command: header.command,
        run_id: load.map(|load| load.run_id),
        outcome,
        exit_code,
        failure,
        started_at: humantime::format_rfc3339_millis(header.started_at).to_string(),
        elapsed_seconds,
        schema: header.schema,
        inputs,
        documents,
        load: load_report,
        errors: groups.into_iter().map(|group| ErrorGroup::of(group, &header.source_names)).collect(),
        errors_not_listed,
        rejects: rejects.map(|paths| RejectFilesReport {
            documents: crate::path_text::path_text(&paths.documents),
            errors: crate::path_text::path_text(&paths.errors),
        }),
        throughput: Throughput::of(documents.read, finished.bytes, elapsed_seconds),
    };
    report.assert_adds_up();
    report
}

fn load_report(load: LoadHeader, finished: &Finished) -> LoadReport {
    let counts = finished.load;
    LoadReport {
        strategy: load.strategy,
        connections: load.connections,
        inserted: counts.inserted,
        updated: counts.updated,
        unchanged: counts.unchanged,
        skipped: counts.skipped,
        not_loaded: finished.not_loaded,
        unknown: finished.unknown,
        settled_earlier: finished.settled_earlier,
        rows: counts.rows,
    }
}

fn inputs(names: &[String], documents: &[u64], digests: &[SourceDigest]) -> Vec<Input> {
    let input = |(index, (name, documents)): (usize, (&String, &u64))| {
        let digest = digests.get(index);
        Input {
            source: name.clone(),
            bytes: digest.map(|digest| digest.bytes),
            documents: *documents,
            digest: digest.map(|digest| format!("blake3:{}", digest.digest)),
        }
    };
    names.iter().zip(documents).enumerate().map(input).collect()
}

fn outcome(end: &End, rejected: u64) -> (Outcome, u8, Option<String>) {
    let failed = |code, message| (Outcome::Failed, code, Some(message));
    match end {
        End::Complete if rejected == 0 => (Outcome::Complete, exit::COMPLETE, None),
        End::Complete => (Outcome::CompleteWithRejects, exit::REJECTS, None),
        End::RejectLimit => (Outcome::RejectLimit, exit::REJECT_LIMIT, None),
        End::Signal(signal) => (Outcome::Interrupted, signals::exit_code(*signal), None),
        End::Input(error) => failed(exit_code_of_input(error), chain(error)),
        End::Lane(error) => failed(exit_code_of(error.class()), error.message()),
        End::Rejects(error) => failed(exit::TEMPORARY, chain(error)),
        End::Panicked => unreachable!("a bug gets no report"),
    }
}
