//! The command line: words and environment to checked settings. With `main.rs` the only user of clap.

mod args;
mod config;
mod doctor;
mod environment;
mod inputs;
mod kinds;
mod manual;
mod network;
mod planning;
mod preview;
mod refusal;
mod retry;
mod targets;
mod values;
mod words;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
};

use args::{
    Command, DatabaseArgs, GlobalArgs, LoadArgs, LoadOrPartArgs, LogFormatArg, MigrateCommand, OnExistingArg,
    OutputArg, REJECTS_DIR, ReportArgs, ReportCommand, ResumeArg, RunArgs, RunsCommand, StrategyArg,
};
use targets::TargetLine;

use clap::{
    ColorChoice, CommandFactory, FromArgMatches, Parser,
    builder::{StyledStr, Styles, styling::AnsiColor},
};

pub use refusal::Refused;

use crate::{
    commands::{
        self, Database, Failure, MigrateAction, MigrateRequest, Output, PlanLoadRequest, PlanStep,
        PlanTarget, ReportOutput, ReportsRequest, RunsAction, RunsRequest, SplitRequest, exit,
    },
    console::{Console, LogFormat, Verbosity},
    document::BUILT_IN_SCHEMA,
    migrate::DeleteData,
    postgres::{Target, TargetError},
    settings::{
        ConfigIdentity, DocumentSettings, LoadSettings, MissingDdl, OnExisting, Resume, Strategy,
        StrategyRequest, Timeouts, WhenHeld,
    },
};

/// The PostgreSQL schema of the tables when nobody names one.
const PUBLIC: &str = "public";

/// Lanes, when nobody says otherwise.
const CONNECTIONS: usize = 4;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    every document was loaded / is valid
  1    finished; some documents were rejected
  2    wrong usage, configuration, input format or JSON Schema
  3    stopped: --max-rejects exceeded
  4    temporary failure (server gone, disk full, truncated input): run the same command again
  5    needs a person (tables differ, missing privilege, input changed, another loader at work, ...)
  70   a bug
  130  stopped by SIGINT; 143: by SIGTERM; run the same command again";

/// Brings NDJSON customer documents into PostgreSQL: checks each against a JSON Schema, normalises it into
/// rows of four tables, and loads them with COPY. Whatever is wrong with a document is explained, and the
/// document is kept.
#[derive(Debug, Parser)]
#[command(name = "profile-loader", version, styles = STYLES, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
    /// The file of options that was read.
    #[arg(skip)]
    config: Option<ConfigIdentity>,
}

impl Cli {
    /// Reads the command line, the variables that stand for options, and the file of options.
    ///
    /// # Errors
    ///
    /// What to print, and whether it is an answer (`--help`).
    pub fn parse_from_environment() -> Result<Self, Refused> {
        let words: Vec<OsString> = std::env::args_os().collect();
        let parsed = environment::parse(Self::command(), &words).and_then(|parsed| {
            let mut cli = Self::from_arg_matches(&parsed.matches)?;
            if let Some(database) = cli.command.database_mut() {
                database.url_origin = parsed.url_origin;
            }
            if let Command::Runs(RunsCommand::Retry(args)) = &mut cli.command {
                args.said = environment::said(&parsed.matches);
            }
            cli.config = parsed.config;
            Ok(cli)
        });
        parsed.map_err(|unparsed| Refused::new(unparsed.error, unparsed.config_asks_for_json, &words))
    }

    /// How messages are to look, for what is said before and after the command.
    pub fn console(&self) -> Console {
        let format = match self.global.log_format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        let verbosity = match (self.global.quiet, self.global.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        let is_coloured = match self.global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && io::stderr().is_terminal()
            }
        };
        Console { format, verbosity, is_coloured }
    }

    /// Does what was asked for; returns the exit code.
    pub fn run(mut self) -> Result<u8, Failure> {
        let console = self.console();
        if console.format == LogFormat::Text
            && let Some(name) = self.command.waits_for_keyboard()
        {
            // Nobody types NDJSON: whoever waits at the terminal wants to know how it works.
            let _ = write!(io::stderr(), "{}", help_of(name));
            return Ok(exit::USAGE);
        }
        self.command.refuse_settings_as_words()?;
        match self.command {
            Command::Validate(args) => {
                let (rejects, config) = (args.rejects, self.config);
                let split = args.split.request();
                let (documents, output) = match &split {
                    None => args.input.settings(rejects, config, console)?,
                    Some(_) => args.input.settings_without_inputs(rejects, config, console),
                };
                commands::validate(&documents, split.as_ref(), &output)
            }
            Command::Load(args) => load(*args, self.config, console),
            Command::Map(args) => commands::map(&args.request(), console),
            Command::Plan(args) => commands::plan(&args.request(console)?),
            Command::Scatter(args) => {
                let split = SplitRequest { plan: args.plan, split: args.split };
                let (checked, output) = args.check.settings(None, args.rejects, self.config, console);
                let documents = DocumentSettings { network: args.network.into(), ..checked };
                commands::scatter(&documents, &split, &output)
            }
            Command::Doctor(args) => commands::doctor(&args.request(console)?),
            Command::Migrate(args) => {
                let (action, database, db_schema) = args.find()?;
                commands::migrate(MigrateRequest { action, database, db_schema, console })
            }
            Command::Runs(RunsCommand::Retry(args)) => commands::retry(args.request(self.config, console)?),
            Command::Runs(command) => {
                let (action, output, args) = command.split();
                let (database, db_schema) = args.find().map_err(|error| Failure::of(exit::USAGE, error))?;
                commands::runs(RunsRequest { action, database, db_schema, output: output.into(), console })
            }
            Command::Report(args) => commands::reports(&report_request(args)),
            Command::Schema => {
                commands::print(BUILT_IN_SCHEMA)?;
                Ok(exit::COMPLETE)
            }
            Command::Completions { shell } => {
                commands::print(&manual::completions(shell, Self::command()))?;
                Ok(exit::COMPLETE)
            }
            Command::Man(args) => manual::man(&args, Self::command()),
        }
    }
}

fn load(args: LoadOrPartArgs, config: Option<ConfigIdentity>, console: Console) -> Result<u8, Failure> {
    let LoadOrPartArgs { mut load, part } = args;
    let targets = part.targets.as_deref().map(targets::read).transpose()?;
    let Some((plan, step)) = part.plan_and_step()? else {
        let (documents, settings, database, output) = load_settings(load, true, config, console)?;
        return commands::load(&documents, &settings, database, &output);
    };
    if matches!(step, PlanStep::Part(_)) && load.input.documents.inputs.is_empty() {
        load.input.documents.inputs.push("-".into());
    }
    let mut found = Vec::new();
    for TargetLine { parts, url } in targets.into_iter().flatten() {
        (load.database.database_url, load.database.url_origin) = (Some(url), "--targets");
        let (database, _) = load.database.clone().find().map_err(|error| Failure::of(exit::USAGE, error))?;
        found.push(PlanTarget { database, parts: Some(parts) });
    }
    let (documents, settings, database, output) = load_settings(load, false, config, console)?;
    if found.is_empty() {
        found.push(PlanTarget { database, parts: None });
    }
    commands::load_of_plan(&documents, &settings, PlanLoadRequest { plan, step, targets: found }, &output)
}

fn load_settings(
    args: LoadArgs,
    needs_inputs: bool,
    config: Option<ConfigIdentity>,
    console: Console,
) -> Result<(DocumentSettings, LoadSettings, Database, ReportOutput), Failure> {
    let (database, db_schema) = args.database.find().map_err(|error| Failure::of(exit::USAGE, error))?;
    let connections = connections(args.connections, args.atomic)?;
    let strategy = strategy(args.strategy, args.atomic)?;
    let settings = LoadSettings {
        db_schema,
        strategy,
        connections,
        atomic: args.atomic,
        resume: match args.resume {
            ResumeArg::Auto => Resume::Auto,
            ResumeArg::Never => Resume::Never,
        },
        dry_run: args.dry_run,
        rejects_table: args.rejects_table,
        when_held: if args.wait_lock { WhenHeld::Wait } else { WhenHeld::Refuse },
        batch_bytes: args.batch_bytes,
        timeouts: Timeouts {
            db_wait: args.db_wait,
            answer: args.answer_within,
            watch_every: args.watch_every,
            stop: args.stop_within,
        },
        on_existing: args.on_existing.into(),
        missing_ddl: if args.no_migrate { MissingDdl::Refuse } else { MissingDdl::Apply },
    };
    // What changes nothing leaves the reject files of loads where they are, for they may be what is loaded next.
    let default = (!args.dry_run).then(|| PathBuf::from(REJECTS_DIR));
    let rejects = args.rejects.or(default);
    let (documents, output) = if needs_inputs {
        args.input.settings(rejects, config, console)?
    } else {
        args.input.settings_without_inputs(rejects, config, console)
    };
    Ok((documents, settings, database, output))
}

fn report_request(args: ReportArgs) -> ReportsRequest {
    let drawn = match args.merge {
        Some(ReportCommand::Merge(drawn)) => drawn,
        None => args.drawn,
    };
    let files: Vec<_> = drawn.html.into_iter().chain(drawn.report).collect();
    let default = files.is_empty().then_some(OutputArg::Text);
    let output = drawn.output.or(default).map(Into::into);
    ReportsRequest { reports: drawn.reports, files, output }
}

fn connections(requested: Option<usize>, is_atomic: bool) -> Result<usize, Failure> {
    match (requested, is_atomic) {
        (None, false) => Ok(CONNECTIONS),
        (None | Some(1), true) => Ok(1),
        (Some(_), true) => Err(Failure::new(
            exit::USAGE,
            "one transaction needs one connection: give either --atomic or --connections (PROFILE_LOADER_ATOMIC, \
             PROFILE_LOADER_CONNECTIONS)",
        )),
        (Some(connections), false) => Ok(connections),
    }
}

fn strategy(requested: StrategyArg, is_atomic: bool) -> Result<StrategyRequest, Failure> {
    match (requested, is_atomic) {
        (StrategyArg::Bulk, true) => Err(Failure::new(
            exit::USAGE,
            "bulk loads in many transactions: give either --atomic or --strategy bulk (PROFILE_LOADER_ATOMIC, \
             PROFILE_LOADER_STRATEGY)",
        )),
        (StrategyArg::Bulk, false) => Ok(StrategyRequest::Only(Strategy::Bulk)),
        (StrategyArg::Merge, _) | (StrategyArg::Auto, true) => Ok(StrategyRequest::Only(Strategy::Merge)),
        (StrategyArg::Auto, false) => Ok(StrategyRequest::Auto),
    }
}

impl Command {
    /// The name of a command that would read documents from a terminal.
    fn waits_for_keyboard(&self) -> Option<&'static str> {
        let (name, inputs) = match self {
            Self::Validate(args) if args.split.plan.is_some() => return None,
            Self::Validate(args) => ("validate", &args.input.documents.inputs),
            Self::Load(args) if matches!(args.part.step(), Some(PlanStep::Begin | PlanStep::Finish)) => {
                return None;
            }
            Self::Load(args) => ("load", &args.load.input.documents.inputs),
            Self::Map(args) => ("map", &args.inputs),
            _ => return None,
        };
        let from_stdin = inputs.is_empty() || inputs.iter().any(|input| input == "-");
        (from_stdin && io::stdin().is_terminal()).then_some(name)
    }
}

fn help_of(name: &str) -> StyledStr {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand_mut(name).expect("a command of ours").render_help()
}

impl MigrateCommand {
    fn find(self) -> Result<(MigrateAction, Option<Database>, String), Failure> {
        let (action, args) = match self {
            Self::Up(args) => (MigrateAction::Up, args),
            Self::Down { database, yes_delete_data: true } => {
                (MigrateAction::Down { delete_data: DeleteData::Confirmed }, database)
            }
            Self::Down { database, yes_delete_data: false } => {
                (MigrateAction::Down { delete_data: DeleteData::Refuse }, database)
            }
            Self::Status(args) => (MigrateAction::Status, args),
            Self::Verify(args) => (MigrateAction::Verify, args),
            Self::Sql(args) => (MigrateAction::Sql, args),
        };
        let db_schema = args.db_schema.clone();
        match args.find() {
            Ok((database, db_schema)) => Ok((action, Some(database), db_schema)),
            Err(TargetError::Nothing) if action == MigrateAction::Sql => {
                Ok((action, None, db_schema.unwrap_or_else(|| PUBLIC.to_owned())))
            }
            Err(error) => Err(Failure::of(exit::USAGE, error)),
        }
    }
}

impl RunsCommand {
    fn split(self) -> (RunsAction, OutputArg, DatabaseArgs) {
        match self {
            Self::List { all, limit, output, database } => {
                (RunsAction::List { limit: (!all).then_some(limit) }, output.output, database)
            }
            Self::Show { report, run: RunArgs { id, output, database } } => {
                (RunsAction::Show { id, reports: report }, output.output, database)
            }
            Self::Abandon(RunArgs { id, output, database }) => {
                (RunsAction::Abandon { id }, output.output, database)
            }
            Self::Retry(_) => unreachable!("it is a load"),
        }
    }
}

impl DatabaseArgs {
    fn find(self) -> Result<(Database, String), TargetError> {
        if let Some(dir) = self.embedded {
            return Ok((Database::Embedded(dir), self.db_schema.unwrap_or_else(|| PUBLIC.to_owned())));
        }
        let url = self.database_url.as_deref().map(|url| (self.url_origin, url));
        let target = Target::find_for(url, &|name| std::env::var_os(name))?;
        let target = target.with_connect_within(self.connect_within);
        let db_schema =
            self.db_schema.or_else(|| target.db_schema.clone()).unwrap_or_else(|| PUBLIC.to_owned());
        Ok((Database::Target(Box::new(target)), db_schema))
    }
}

impl From<OutputArg> for Output {
    fn from(output: OutputArg) -> Self {
        match output {
            OutputArg::Text => Self::Text,
            OutputArg::Json => Self::Json,
        }
    }
}

impl From<OnExistingArg> for OnExisting {
    fn from(policy: OnExistingArg) -> Self {
        match policy {
            OnExistingArg::Reject => Self::Reject,
            OnExistingArg::Skip => Self::Skip,
            OnExistingArg::Update => Self::Update,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
