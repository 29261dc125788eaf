//! `runs retry`: what a load is told, with the run whose rejected documents it is about.

use std::mem;

use clap::Args;

use super::{args::LoadArgs, load_settings};
use crate::{
    commands::{Failure, RetryRequest},
    console::Console,
    settings::ConfigIdentity,
};

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// The number of the run; INPUT is where the fixed documents are [default: its reject file]
    #[arg(value_name = "ID")]
    pub(super) id: i64,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    /// What was said, by the names of fields.
    #[arg(skip)]
    pub(super) said: Vec<String>,
}

impl RetryArgs {
    pub(super) fn request(
        mut self,
        config: Option<ConfigIdentity>,
        console: Console,
    ) -> Result<RetryRequest, Failure> {
        let inputs = mem::take(&mut self.load.input.documents.inputs);
        // Those of the run are not known yet.
        self.load.input.documents.inputs.push("-".into());
        let (mut documents, settings, database, output) = load_settings(self.load, true, config, console)?;
        documents.inputs = inputs;
        let says = |name: &str| self.said.iter().any(|said| said == name);
        let (says_on_existing, says_rejects) = (says("on_existing"), says("rejects"));
        let says_db_schema = says("db_schema");
        Ok(RetryRequest {
            id: self.id,
            documents,
            settings,
            database,
            output,
            says_on_existing,
            says_rejects,
            says_db_schema,
        })
    }
}
