//! Words that stand in the wrong place.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::args::{Command, DatabaseArgs, MigrateCommand, ReportCommand, RunArgs, RunsCommand};
use crate::{
    commands::{Failure, exit},
    input::input_scheme,
    postgres::looks_like_settings,
};

impl Command {
    pub(super) fn database_mut(&mut self) -> Option<&mut DatabaseArgs> {
        match self {
            Self::Validate(_)
            | Self::Map(_)
            | Self::Plan(_)
            | Self::Scatter(_)
            | Self::Report(_)
            | Self::Schema
            | Self::Completions { .. }
            | Self::Man(_) => None,
            Self::Load(args) => Some(&mut args.load.database),
            Self::Doctor(args) => Some(&mut args.database),
            Self::Migrate(
                MigrateCommand::Up(database)
                | MigrateCommand::Down { database, .. }
                | MigrateCommand::Status(database)
                | MigrateCommand::Verify(database)
                | MigrateCommand::Sql(database),
            )
            | Self::Runs(
                RunsCommand::List { database, .. }
                | RunsCommand::Show { run: RunArgs { database, .. }, .. }
                | RunsCommand::Abandon(RunArgs { database, .. }),
            ) => Some(database),
            Self::Runs(RunsCommand::Retry(args)) => Some(&mut args.load.database),
        }
    }

    /// Of a command that is about files and nothing else.
    fn inputs_and_files(&self) -> Option<(&[OsString], Vec<&Path>)> {
        let (inputs, files): (&[OsString], Vec<Option<&PathBuf>>) = match self {
            Self::Map(args) => (&args.inputs, vec![Some(&args.map), args.json_schema.as_ref()]),
            Self::Plan(args) => {
                let documents = &args.documents;
                let files = vec![Some(&args.plan), documents.json_schema.as_ref(), documents.map.as_ref()];
                (&documents.inputs, files)
            }
            Self::Scatter(args) => {
                let check = &args.check;
                let files = [Some(&args.plan), args.rejects.as_ref(), check.baseline.as_ref()];
                let reports = check.report.iter().chain(&check.metrics_file).map(Some);
                (&[], files.into_iter().chain(reports).collect())
            }
            _ => return None,
        };
        Some((inputs, files.into_iter().flatten().map(PathBuf::as_path).collect()))
    }

    /// Refuses connection settings where files, folders and names are expected, before a message shows them or a folder
    /// gets them as its name.
    pub(super) fn refuse_settings_as_words(&mut self) -> Result<(), Failure> {
        let refuse = |what: &str| {
            let message = format!(
                "{what} looks like connection settings, which go to --database-url, quoted as one word where they hold blanks"
            );
            Err(Failure::new(exit::USAGE, message))
        };
        let looks_like = |path: &Path| !path.exists() && looks_like_settings(&path.to_string_lossy());
        // What a URL of an input has before its host is looked at with it.
        let looks_like_input =
            |path: &Path| looks_like(path) && path.to_str().and_then(input_scheme).is_none();
        let looks_like_path = |path: &Option<PathBuf>| path.as_deref().is_some_and(looks_like);
        if let Self::Report(args) = &*self {
            let drawn = match &args.merge {
                Some(ReportCommand::Merge(drawn)) => drawn,
                None => &args.drawn,
            };
            let mut paths = drawn.reports.iter().chain(&drawn.html).chain(&drawn.report);
            return if paths.any(|path| looks_like(path)) { refuse("a REPORT") } else { Ok(()) };
        }
        if let Some((inputs, files)) = self.inputs_and_files() {
            let is_refused =
                inputs.iter().map(Path::new).any(looks_like_input) || files.into_iter().any(looks_like);
            return if is_refused { refuse("a FILE") } else { Ok(()) };
        }
        let (input, rejects) = match &*self {
            Self::Validate(args) => (Some(&args.input), args.rejects.as_deref()),
            Self::Load(args) => (Some(&args.load.input), args.load.rejects.as_deref()),
            Self::Runs(RunsCommand::Retry(args)) => (Some(&args.load.input), args.load.rejects.as_deref()),
            _ => (None, None),
        };
        if let Some(input) = input {
            if input.documents.inputs.iter().any(|input| looks_like_input(Path::new(input))) {
                return refuse("an INPUT");
            }
            if looks_like_path(&input.check.baseline) {
                return refuse("--baseline");
            }
            if looks_like_path(&input.documents.json_schema) {
                return refuse("--json-schema");
            }
            if looks_like_path(&input.documents.map) {
                return refuse("--map");
            }
            if input.check.report.iter().chain(&input.check.metrics_file).any(|path| looks_like(path)) {
                return refuse("--report");
            }
        }
        if let Self::Validate(args) = &*self
            && looks_like_path(&args.split.plan)
        {
            return refuse("--plan");
        }
        if rejects.is_some_and(looks_like) {
            return refuse("--rejects");
        }
        let Some(database) = self.database_mut() else { return Ok(()) };
        if looks_like_path(&database.embedded) {
            return refuse("--embedded");
        }
        if database.db_schema.as_deref().is_some_and(looks_like_settings) {
            return refuse("--db-schema");
        }
        Ok(())
    }
}
