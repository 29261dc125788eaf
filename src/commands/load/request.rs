//! What a load is asked for, and what a failing ledger is to it.

use crate::{
    commands::{database::exit_code_of, failure::Failure},
    console::Console,
    runs::RunError,
    settings::{DocumentSettings, LoadSettings},
};

/// What a load is given, but for where its result goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadRequest<'a> {
    pub(crate) documents: &'a DocumentSettings,
    pub(crate) settings: &'a LoadSettings,
    pub(crate) console: Console,
}

pub(in crate::commands) fn failure_of_ledger(error: &RunError) -> Failure {
    Failure::new(exit_code_of(error.class()), error.message())
}
