//! `doctor`: the load that it is about.

use clap::{Args, builder::BoolishValueParser};

use super::{
    args::{DatabaseArgs, OnExistingArg, OutputArg, RunsOutputArgs},
    connections,
    inputs::cores,
    values,
};
use crate::{
    commands::{DoctorRequest, Failure, exit},
    console::Console,
    settings::MissingDdl,
};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// What the load would do with an id that is stored already; decides which privileges it needs
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "reject",
        env = "PROFILE_LOADER_ON_EXISTING",
        hide_env = true
    )]
    pub(super) on_existing: OnExistingArg,
    /// How many connections the load would have [default: 4; 1 with --atomic]
    #[arg(long, value_name = "N", value_parser = values::connections, env = "PROFILE_LOADER_CONNECTIONS", hide_env = true)]
    pub(super) connections: Option<usize>,
    /// Whether the load would be one transaction
    #[arg(long, env = "PROFILE_LOADER_ATOMIC", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) atomic: bool,
    /// Whether the load would refuse instead of applying missing DDL
    #[arg(long, env = "PROFILE_LOADER_NO_MIGRATE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) no_migrate: bool,
    /// Print JSON; as --output json
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) output: RunsOutputArgs,
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
}

impl DoctorArgs {
    pub(super) fn request(self, console: Console) -> Result<DoctorRequest, Failure> {
        let (database, db_schema) = self.database.find().map_err(|error| Failure::of(exit::USAGE, error))?;
        let output = if self.json { OutputArg::Json } else { self.output.output };
        Ok(DoctorRequest {
            database,
            db_schema,
            on_existing: self.on_existing.into(),
            missing_ddl: if self.no_migrate { MissingDdl::Refuse } else { MissingDdl::Apply },
            connections: connections(self.connections, self.atomic)?,
            atomic: self.atomic,
            jobs: cores(),
            output: output.into(),
            console,
        })
    }
}
