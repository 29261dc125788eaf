//! The end of a run: the reject files get their names, the report is put together, checked and given out.

use super::{Failure, Output, RunRequest, exit, failure::chain, print, print_result, run::About, signals};
use crate::{
    input::SourceDigest,
    pipeline::{End, Finished},
    report::{
        DocumentCounts, ErrorGroup, Input, LoadReport, Outcome, RejectFiles, RejectFilesReport, RejectPaths,
        RejectsError, RunReport, Throughput, Tool, summary, write_report_file,
    },
};

/// What the report says about a load besides what it did.
#[derive(Clone, Copy)]
pub(super) struct AboutLoad {
    pub(super) run_id: i64,
    pub(super) strategy: &'static str,
    pub(super) connections: usize,
}

pub(super) struct Conclusion {
    pub(super) about: About,
    pub(super) finished: Finished,
    pub(super) load: Option<AboutLoad>,
}

/// How a run ended, told in every form that was asked for.
pub(super) struct Concluded {
    exit_code: u8,
    pub(super) outcome: Outcome,
    pub(super) documents: DocumentCounts,
    /// Of the sources that were read to their end.
    pub(super) digests: Vec<SourceDigest>,
    /// What the run failed at.
    pub(super) failure: Option<String>,
    /// What went wrong with the telling of a run that had come to its end.
    untold: Option<Failure>,
}

impl Concluded {
    /// Whether the end of the run has reached everyone it was meant for.
    pub(super) fn is_told(&self) -> bool {
        self.untold.is_none()
    }

    /// Whether the same command would only fail in the same way.
    pub(super) fn needs_a_person(&self) -> bool {
        matches!(self.exit_code, exit::USAGE | exit::NEEDS_A_PERSON)
    }

    pub(super) fn exit_code(self) -> Result<u8, Failure> {
        self.untold.map_or(Ok(self.exit_code), Err)
    }
}

/// Gives the reject files their names and tells how the run ended.
pub(super) fn conclude(request: &RunRequest, mut conclusion: Conclusion) -> Result<Concluded, Failure> {
    if matches!(conclusion.finished.end, End::Panicked) {
        return Err(Failure::new(
            exit::BUG,
            "this is a bug of profile-loader; what was committed stands, nothing is half-loaded, and the same \
             command can be run again",
        ));
    }
    let files = conclusion.finished.rejects.take();
    let rejects = match end_reject_files(files, &conclusion.finished.end) {
        Ok(paths) => paths,
        Err(error) => {
            conclusion.finished.end = End::Rejects(error);
            None
        }
    };
    let digests = conclusion.finished.digests.clone();
    let is_load = conclusion.load.is_some();
    let report = report(conclusion, rejects);
    report.assert_adds_up();
    let reports = request.settings.reports.iter();
    // The result is told even when a report can't be written; then that is what the run failed at.
    let unwritten: Vec<_> = reports.filter_map(|path| write_report_file(&report, path).err()).collect();
    if let Some(failure) = &report.failure {
        request.console.error(failure);
    }
    let text = match request.output {
        Output::Text => summary(&report),
        Output::Json => report.to_json(),
    };
    // A check has its exit code to tell; a load that nobody heard of is not over.
    let printed = if is_load { print_result(&text) } else { print(&text) };
    let unwritten = unwritten.into_iter().map(|error| Failure::of(exit::TEMPORARY, error));
    let mut untold: Vec<_> = unwritten.chain(printed.err()).collect();
    // The last one is told by who ends the program, unless the run has ended for another reason before.
    let is_reason = !matches!(report.outcome, Outcome::Failed | Outcome::Interrupted);
    let reason = if is_reason { untold.pop() } else { None };
    untold.iter().for_each(|failure| request.console.error(&failure.to_string()));
    Ok(Concluded {
        exit_code: report.exit_code,
        outcome: report.outcome,
        documents: report.documents,
        digests,
        failure: report.failure,
        untold: reason,
    })
}

fn end_reject_files(files: Option<RejectFiles>, end: &End) -> Result<Option<RejectPaths>, RejectsError> {
    match (files, end) {
        (None, _) => Ok(None),
        (Some(files), End::Complete) => files.complete(),
        (Some(files), _) => files.leave_partial(),
    }
}

fn report(conclusion: Conclusion, rejects: Option<RejectPaths>) -> RunReport {
    let Conclusion { about, finished, load } = conclusion;
    let (outcome, exit_code, failure) = outcome(&finished.end, finished.tally.rejected);
    let elapsed_seconds = about.started.elapsed().as_secs_f64();
    let documents = DocumentCounts::of(&finished.tally);
    let counts = finished.load;
    let run_id = load.map(|load| load.run_id);
    let load = load.map(|load| LoadReport {
        strategy: load.strategy,
        connections: load.connections,
        inserted: counts.inserted,
        updated: counts.updated,
        unchanged: counts.unchanged,
        skipped: counts.skipped,
        not_loaded: finished.not_loaded,
        settled_earlier: finished.settled_earlier,
        rows: counts.rows,
    });
    let inputs = inputs(&about.source_names, &finished.documents_of_sources, &finished.digests);
    let errors_not_listed = finished.tally.ungrouped_faults;
    let groups = finished.tally.into_groups();
    RunReport {
        format: RunReport::FORMAT,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        command: about.command,
        run_id,
        outcome,
        exit_code,
        failure,
        started_at: humantime::format_rfc3339_millis(about.started_at).to_string(),
        elapsed_seconds,
        schema: about.schema,
        inputs,
        documents,
        load,
        errors: groups.into_iter().map(|group| ErrorGroup::of(group, &about.source_names)).collect(),
        errors_not_listed,
        rejects: rejects.map(|paths| RejectFilesReport {
            documents: paths.documents.display().to_string(),
            errors: paths.errors.display().to_string(),
        }),
        throughput: Throughput::of(documents.read, finished.bytes, elapsed_seconds),
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
    let failed = |code, words| (Outcome::Failed, code, Some(words));
    match end {
        End::Complete if rejected == 0 => (Outcome::Complete, exit::COMPLETE, None),
        End::Complete => (Outcome::CompleteWithRejects, exit::REJECTS, None),
        End::RejectLimit => (Outcome::RejectLimit, exit::REJECT_LIMIT, None),
        End::Signal(signal) => (Outcome::Interrupted, signals::exit_code(*signal), None),
        End::Input(error) => failed(super::run::exit_code_of_input(error), chain(error)),
        End::Lane(error) => failed(super::load::exit_code_of_load(error), chain(error)),
        End::Rejects(error) => failed(exit::TEMPORARY, chain(error)),
        End::Panicked => unreachable!("a bug gets no report"),
    }
}
