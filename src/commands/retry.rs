//! `runs retry`: loads the rejected documents of a run again, once they are fixed, and says how many are.
//!
//! It is a load like any other, with a run of its own. The ledger says where the rejected documents are, how they were to be
//! loaded and how many there were.

use std::{
    cell::RefCell,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use super::{
    database::{Database, on_database},
    failure::{Failure, exit},
    inputs::refuse_unwritable_reports,
    load::{self, LoadRequest},
    runs::failure_of_history,
    signals::Signals,
    tell::ReportOutput,
};
use crate::{
    console::Console,
    path_text::path_text,
    report::{RetryOf, RunReport},
    runs::history::{self, PlanRecord, RunRecord},
    settings::{DocumentSettings, LoadSettings, OnExisting},
};

/// What a retry is given; without inputs it takes the reject file of the run.
#[derive(Debug)]
pub(crate) struct RetryRequest {
    pub(crate) id: i64,
    pub(crate) documents: DocumentSettings,
    pub(crate) settings: LoadSettings,
    pub(crate) database: Database,
    pub(crate) output: ReportOutput,
    /// What was said, and is not to be as it was in the run.
    pub(crate) says_on_existing: bool,
    pub(crate) says_rejects: bool,
    pub(crate) says_db_schema: bool,
}

/// What the ledger knows of the run.
struct Earlier {
    run: RunRecord,
    report: RunReport,
    /// A later run whose rejected documents have the same place.
    replaced_by: Option<i64>,
}

/// Gives the report out; returns the exit code of a run that came to an end of some kind.
pub(crate) fn retry(request: RetryRequest) -> Result<u8, Failure> {
    let RetryRequest { id, mut documents, mut settings, database, output, .. } = request;
    let Earlier { run, report, replaced_by } = look(&database, id)?;
    if matches!(run.plan, Some(PlanRecord { part: None, .. })) {
        return Err(Failure::new(
            exit::USAGE,
            format!(
                "run {id} is that of a whole plan, and its splits, its parts and its end have each kept what they rejected in a \
                 folder of their own; once they are fixed, load these files as any others, or retry the run of a part \
                 (profile-loader runs list)"
            ),
        ));
    }
    let rejected = report.documents.rejected;
    let nothing = || {
        Failure::new(
            exit::USAGE,
            format!("run {id} has kept no rejected document, so there is nothing to retry"),
        )
    };
    let kept = report.rejects.as_ref().ok_or_else(nothing)?;
    let kept = PathBuf::from(&kept.documents);
    if documents.inputs.is_empty() {
        refuse_other_documents(id, &report, replaced_by)?;
        documents.inputs.push(kept.clone().into());
    }
    // A dry run has to leave the fixed documents where the retry itself will look for them.
    if !request.says_rejects && !settings.dry_run {
        documents.rejects = kept.parent().map(Path::to_owned);
    }
    if documents.json_schema.is_none() && report.schema.source != "built-in" {
        documents.json_schema = Some(PathBuf::from(&report.schema.source));
    }
    if documents.map.is_none() {
        documents.map = report.map.as_ref().map(|map| PathBuf::from(&map.source));
    }
    if !request.says_db_schema {
        settings.db_schema.clone_from(&run.settings.db_schema);
    }
    if !request.says_on_existing {
        settings.on_existing = OnExisting::of_name(&run.settings.on_existing).unwrap_or(settings.on_existing);
    }
    refuse_unwritable_reports(output.files(), &documents)?;
    let request = LoadRequest { documents: &documents, settings: &settings, console: output.console };
    let report = load::load_all(request, database, Signals::catch, |report| {
        let mut report = report.clone();
        // A file that is named may hold more than the run has rejected.
        let fixed = report.settled().min(rejected.saturating_sub(report.documents.rejected));
        report.retry = Some(RetryOf { run_id: id, rejected, fixed });
        output.tell(&report)
    })?;
    Ok(report.exit_code)
}

fn look(database: &Database, id: i64) -> Result<Earlier, Failure> {
    let earlier = RefCell::new(None);
    on_database(database.clone(), Console::SILENT, async |client, _| {
        let (run, ..) = history::show(client, id).await.map_err(failure_of_history)?;
        let text = history::report(client, id).await.map_err(failure_of_history)?;
        let place = PathBuf::from(format!("of run {id} in the ledger"));
        let report = RunReport::from_json(text.as_bytes(), &place);
        let report = report.map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
        let replaced_by = match &report.rejects {
            Some(kept) => {
                history::later_with_rejects(client, id, &kept.documents).await.map_err(failure_of_history)?
            }
            None => None,
        };
        *earlier.borrow_mut() = Some(Earlier { run, report, replaced_by });
        Ok((String::new(), exit::COMPLETE))
    })?;
    Ok(earlier.into_inner().expect("it was found, or there was a failure"))
}

/// The file may be elsewhere, or hold by now what another run or a command without one has rejected.
fn refuse_other_documents(id: i64, report: &RunReport, replaced_by: Option<i64>) -> Result<(), Failure> {
    let Some(kept) = &report.rejects else { return Ok(()) };
    let path = Path::new(&kept.documents);
    let name = path_text(path);
    let how = format!("name the file: profile-loader runs retry {id} FILE");
    let aside = format!("the documents of run {id} were moved aside, as rejects.1.ndjson or another number");
    let message = match replaced_by {
        Some(later) if path.exists() => format!(
            "{name} now holds what run {later} has rejected, and the documents of run {id} were moved aside; retry run \
             {later}, or {how}"
        ),
        None if path.exists() && are_of(report, Path::new(&kept.errors)) => return Ok(()),
        None if path.exists() => format!(
            "{name} now holds what another command has rejected, a dry run perhaps, and {aside}; {how}"
        ),
        _ if path.parent().is_some_and(has_numbered) => {
            format!("there is no {name}, because a later command has rejected nothing, and {aside}; {how}")
        }
        _ => format!(
            "there is no {name}, where run {id} has kept its rejected documents; run this in the folder of that run, or {how}"
        ),
    };
    Err(Failure::new(exit::USAGE, message))
}

/// Whether the records beside the documents, which nobody has to change, are as many as the run has written, and of its
/// inputs.
fn are_of(report: &RunReport, errors: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Record {
        source: String,
    }
    let Ok(file) = File::open(errors) else { return true };
    let is_input = |source: &str| report.inputs.iter().any(|input| input.source == source);
    let mut records = 0;
    for line in BufReader::new(file).split(b'\n') {
        let record = line.ok().and_then(|line| serde_json::from_slice::<Record>(&line).ok());
        if !record.is_some_and(|record| is_input(&record.source)) {
            return false;
        }
        records += 1;
    }
    records == report.documents.rejected
}

/// Whether reject files were moved aside in a folder.
fn has_numbered(dir: &Path) -> bool {
    dir.join("rejects.1.ndjson").exists()
}
