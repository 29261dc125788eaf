//! What the program can be told to do; each command reads like a table of contents.

mod conclude;
mod database;
mod doctor;
mod failure;
mod inputs;
mod interrupts;
mod limits;
mod load;
mod map;
mod migrate;
mod output;
mod pending;
mod plan;
mod planned;
mod preflight;
mod reject_files;
mod reports;
mod retry;
mod runs;
mod runtime;
mod scatter;
mod signals;
mod standard_input;
mod tables;
mod tell;
mod validate;

pub use database::Database;
pub(crate) use doctor::{DoctorRequest, doctor};
pub use failure::{Failure, exit};
pub(crate) use load::{PlanLoadRequest, PlanStep, PlanTarget, load, load_of_plan};
pub(crate) use map::{MapRequest, map};
pub(crate) use migrate::{MigrateAction, MigrateRequest, migrate};
pub(crate) use output::{Output, print};
pub(crate) use plan::{PlanFileRequest, plan};
pub(crate) use planned::SplitRequest;
pub(crate) use reports::{ReportsRequest, reports};
pub(crate) use retry::{RetryRequest, retry};
pub(crate) use runs::{RunsAction, RunsRequest, runs};
pub(crate) use scatter::scatter;
pub(crate) use tell::ReportOutput;
pub(crate) use validate::validate;

use crate::{
    console::Console,
    report::RunReport,
    settings::{DocumentSettings, LoadSettings},
};
use signals::Signals;

/// Checks documents without printing anything.
pub(crate) fn validate_silently(settings: &DocumentSettings) -> Result<RunReport, Failure> {
    let request = validate::CheckRequest::of(settings, Console::SILENT);
    validate::check_all(request, |_| Ok(Signals::none()), |_| Ok(()))
}

/// Loads documents without printing anything.
pub(crate) fn load_silently(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    database: Database,
) -> Result<RunReport, Failure> {
    let request = load::LoadRequest { documents, settings, console: Console::SILENT };
    load::load_all(request, database, |_| Ok(Signals::none()), |_| Ok(()))
}
