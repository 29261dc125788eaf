//! The command line: words and environment to checked settings. With `main.rs` the only user of clap.

use std::{
    io::{self, IsTerminal},
    num::NonZeroUsize,
    path::PathBuf,
    thread,
};

use clap::{
    Args, ColorChoice, Parser, Subcommand, ValueEnum,
    builder::{Styles, styling::AnsiColor},
};

use crate::{
    commands::{self, Database, Failure, MigrateAction, MigrateRequest, Output, RunRequest, exit},
    console::{Console, LogFormat, Verbosity},
    document::BUILT_IN_SCHEMA,
    migrate::DeleteData,
    postgres::{Target, TargetError},
    settings::{LoadSettings, MissingDdl, OnExisting, RejectLimit, RunSettings},
};

/// The folder of `--embedded` without a value.
const EMBEDDED_DIR: &str = "profile-loader-data";

/// Where `load` keeps rejected documents when nobody says otherwise.
const REJECTS_DIR: &str = "profile-loader-rejects";

/// The PostgreSQL schema of the tables when nobody names one.
const PUBLIC: &str = "public";

const CHUNK_BYTES: usize = 1 << 20;

/// A chunk and the longest line together have to stay below what an offset in a chunk can tell.
const CHUNK_BYTES_MAX: usize = 8 << 20;

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
  5    needs a person (tables differ, missing privilege, ...)
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
}

#[derive(Debug, Args)]
struct GlobalArgs {
    /// Say nothing but errors and the result
    #[arg(short, long, global = true, env = "PROFILE_LOADER_QUIET", hide_env = true)]
    quiet: bool,
    /// Say more
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "quiet",
        env = "PROFILE_LOADER_VERBOSE",
        hide_env = true
    )]
    verbose: bool,
    /// Colours on standard error and in help
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROFILE_LOADER_COLOR",
        hide_env = true
    )]
    color: ColorChoice,
    /// What messages on standard error look like
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "PROFILE_LOADER_LOG_FORMAT",
        hide_env = true
    )]
    log_format: LogFormatArg,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check documents and tell all that is wrong with them; needs no database
    Validate(ValidateArgs),
    /// Apply missing DDL, then check, normalise and load documents
    Load(LoadArgs),
    /// Create, inspect or remove the four tables
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Print the built-in JSON Schema of a customer document
    Schema,
}

#[derive(Debug, Args)]
struct InputArgs {
    /// NDJSON files, quoted globs, or - for standard input; gzip and zstd are recognised by content
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// Check against this JSON Schema instead of the built-in one (what the tables can hold is still checked)
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_JSON_SCHEMA", hide_env = true)]
    json_schema: Option<PathBuf>,
    /// CPU workers [default: one for each core]
    #[arg(long, value_name = "N", env = "PROFILE_LOADER_JOBS", hide_env = true)]
    jobs: Option<NonZeroUsize>,
    /// Stop when more than N documents, or P% of them, were rejected (a share counts from 1000 documents on)
    #[arg(long, value_name = "N|P%", value_parser = parse_reject_limit, env = "PROFILE_LOADER_MAX_REJECTS", hide_env = true)]
    max_rejects: Option<RejectLimit>,
    /// Also write the report to this .json file; may be given more than once
    #[arg(long, value_name = "FILE", value_parser = parse_report, env = "PROFILE_LOADER_REPORT", hide_env = true)]
    report: Vec<PathBuf>,
    /// What standard output gets: a summary, or the JSON report
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        env = "PROFILE_LOADER_OUTPUT",
        hide_env = true
    )]
    output: OutputArg,
    /// About how much input a worker gets at once
    #[arg(long, value_name = "BYTES", value_parser = parse_chunk_bytes, env = "PROFILE_LOADER_CHUNK_BYTES", hide = true)]
    chunk_bytes: Option<usize>,
}

#[derive(Debug, Args)]
struct ValidateArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Keep rejected lines and the reasons in this folder
    #[arg(long, value_name = "DIR", env = "PROFILE_LOADER_REJECTS", hide_env = true)]
    rejects: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LoadArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Rejected lines and the reasons go to this folder
    #[arg(long, value_name = "DIR", default_value = REJECTS_DIR, env = "PROFILE_LOADER_REJECTS", hide_env = true)]
    rejects: PathBuf,
    /// What a document gets whose id is stored, or came earlier in the input, with other contents
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "reject",
        env = "PROFILE_LOADER_ON_EXISTING",
        hide_env = true
    )]
    on_existing: OnExistingArg,
    /// Connections that load at the same time
    #[arg(long, value_name = "N", default_value = "4", value_parser = parse_connections, env = "PROFILE_LOADER_CONNECTIONS", hide_env = true)]
    connections: usize,
    /// Refuse instead of applying missing DDL
    #[arg(long, env = "PROFILE_LOADER_NO_MIGRATE", hide_env = true)]
    no_migrate: bool,
}

#[derive(Debug, Args)]
struct DatabaseArgs {
    /// libpq URL or keyword string [default: DATABASE_URL, else DATABASE_HOST and its kin, else PGHOST and its kin]
    #[arg(
        long,
        value_name = "URL",
        env = "PROFILE_LOADER_DATABASE_URL",
        hide_env = true,
        hide_env_values = true
    )]
    database_url: Option<String>,
    /// Start a private PostgreSQL server from this machine's binaries, its data in DIR, and stop it at the end
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = EMBEDDED_DIR)]
    #[arg(conflicts_with = "database_url", env = "PROFILE_LOADER_EMBEDDED", hide_env = true)]
    embedded: Option<PathBuf>,
    /// PostgreSQL schema of the four tables [default: DATABASE_SCHEMA, else public]
    #[arg(long, value_name = "NAME", env = "PROFILE_LOADER_DB_SCHEMA", hide_env = true)]
    db_schema: Option<String>,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Create the tables, or adopt them where another program has made the same
    Up(DatabaseArgs),
    /// Drop the tables again
    Down {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Drop them even while they hold rows, or though another program made them
        #[arg(long)]
        yes_delete_data: bool,
    },
    /// Tell which migrations were applied, when and by whom
    Status(DatabaseArgs),
    /// Tell what differs from the tables as they should be, with the SQL that mends it; changes nothing
    Verify(DatabaseArgs),
    /// Print the SQL that `up` would run; that for an empty database when none is named
    Sql(DatabaseArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OutputArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnExistingArg {
    /// Reject it, unless it is identical
    Reject,
    /// Leave the stored profile alone
    Skip,
    /// Bring the stored profile to what the document says
    Update,
}

impl Cli {
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
    pub fn run(self) -> Result<u8, Failure> {
        let console = self.console();
        match self.command {
            Command::Validate(args) => commands::validate(&request(args.input, args.rejects, console)?),
            Command::Load(args) => {
                let (database, db_schema) =
                    args.database.find().map_err(|error| Failure::of(exit::USAGE, error))?;
                let settings = LoadSettings {
                    db_schema,
                    connections: args.connections,
                    on_existing: args.on_existing.into(),
                    missing_ddl: if args.no_migrate { MissingDdl::Refuse } else { MissingDdl::Apply },
                };
                commands::load(&request(args.input, Some(args.rejects), console)?, &settings, database)
            }
            Command::Migrate(args) => {
                let (action, database, db_schema) = args.find()?;
                commands::migrate(MigrateRequest { action, database, db_schema, console })
            }
            Command::Schema => {
                commands::print(BUILT_IN_SCHEMA)?;
                Ok(exit::COMPLETE)
            }
        }
    }
}

fn request(input: InputArgs, rejects: Option<PathBuf>, console: Console) -> Result<RunRequest, Failure> {
    let is_keyboard = input.inputs.is_empty() || (input.inputs == ["-"] && io::stdin().is_terminal());
    if is_keyboard {
        return Err(Failure::new(
            exit::USAGE,
            "no input is named; give files, quoted globs, or - with something piped in (see --help)",
        ));
    }
    let settings = RunSettings {
        inputs: input.inputs,
        json_schema: input.json_schema,
        jobs: input.jobs.map_or_else(cores, NonZeroUsize::get),
        chunk_bytes: input.chunk_bytes.unwrap_or(CHUNK_BYTES),
        max_rejects: input.max_rejects.unwrap_or(RejectLimit::Unlimited),
        rejects,
        reports: input.report,
    };
    let output = match input.output {
        OutputArg::Text => Output::Text,
        OutputArg::Json => Output::Json,
    };
    Ok(RunRequest { settings, console, output })
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
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

impl DatabaseArgs {
    fn find(self) -> Result<(Database, String), TargetError> {
        if let Some(dir) = self.embedded {
            return Ok((Database::Embedded(dir), self.db_schema.unwrap_or_else(|| PUBLIC.to_owned())));
        }
        let env = |name: &str| std::env::var(name).ok();
        let target = Target::find(self.database_url.as_deref(), &env)?;
        let db_schema =
            self.db_schema.or_else(|| target.db_schema.clone()).unwrap_or_else(|| PUBLIC.to_owned());
        Ok((Database::Target(Box::new(target)), db_schema))
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

fn parse_reject_limit(text: &str) -> Result<RejectLimit, String> {
    let wrong = || "give a number of documents, or a share such as 0.5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(RejectLimit::Percent(percent)),
            _ => Err(wrong()),
        },
        None => text.parse().map(RejectLimit::Count).map_err(|_| wrong()),
    }
}

fn parse_report(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension == "json") {
        Ok(path)
    } else {
        Err("the form of a report is told by its name, which has to end in .json".to_owned())
    }
}

fn parse_chunk_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (1..=CHUNK_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number from 1 to {CHUNK_BYTES_MAX}")),
    }
}

fn parse_connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=64).contains(&count) => Ok(count),
        _ => Err("give a number from 1 to 64".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn limits_are_numbers_or_shares() {
        assert_eq!(parse_reject_limit("10"), Ok(RejectLimit::Count(10)));
        assert_eq!(parse_reject_limit("0.5%"), Ok(RejectLimit::Percent(0.5)));
        for wrong in ["", "%", "-1", "101%", "NaN%", "1.5", "x"] {
            assert!(parse_reject_limit(wrong).is_err(), "{wrong}");
        }
    }
}
