//! The arguments of the command line; their doc comments are the help.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args, ColorChoice, Subcommand, ValueEnum,
    builder::{BoolishValueParser, NonEmptyStringValueParser},
};

use clap_complete::Shell;

use super::{
    doctor::DoctorArgs,
    inputs::InputArgs,
    manual::ManArgs,
    planning::{PartArgs, PlanArgs, ScatterArgs, SplitArgs},
    preview::MapArgs,
    retry::RetryArgs,
    values,
};

/// The folder of `--embedded` without a value.
const EMBEDDED_DIR: &str = "profile-loader-data";

/// Where `load` keeps rejected documents when nobody says otherwise.
pub(super) const REJECTS_DIR: &str = "profile-loader-rejects";

/// How many runs are listed when nobody says otherwise: about a screen.
const RUNS_LISTED: u32 = 20;

/// About 40,000 documents of all lanes.
const BATCH_BYTES: usize = 24 << 20;

#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct GlobalArgs {
    /// Say nothing but errors and the result
    #[arg(short, long, global = true, env = "PROFILE_LOADER_QUIET", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,
    /// Say more
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "quiet",
        env = "PROFILE_LOADER_VERBOSE",
        hide_env = true, value_parser = BoolishValueParser::new()
    )]
    pub(super) verbose: bool,
    /// Colours on standard error and in help
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROFILE_LOADER_COLOR",
        hide_env = true
    )]
    pub(super) color: ColorChoice,
    /// What messages on standard error look like
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "PROFILE_LOADER_LOG_FORMAT",
        hide_env = true
    )]
    pub(super) log_format: LogFormatArg,
    /// Take from this TOML file what neither the command line nor a variable says, by the names of the options
    #[arg(long, global = true, value_name = "FILE", env = "PROFILE_LOADER_CONFIG", hide_env = true)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check documents and report all that is wrong with them; needs no database
    Validate(ValidateArgs),
    /// Apply missing DDL, then check, normalise and load documents
    Load(Box<LoadOrPartArgs>),
    /// Show what a jq filter makes of the first documents of an input, and what becomes of them
    Map(MapArgs),
    /// Cut inputs into splits that many machines check, each by itself
    Plan(PlanArgs),
    /// Check a split of a plan, and write its accepted documents to standard output in blocks of the plan's parts
    Scatter(ScatterArgs),
    /// Show all that is in the way of a load, with the statements that change it; loads and changes nothing
    Doctor(DoctorArgs),
    /// Create, inspect or remove the four tables
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Show what was loaded, by whom, how it ended and what remains
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Draw JSON reports again, as a page, a table or a summary; several are added up
    Report(ReportArgs),
    /// Print the built-in JSON Schema of a customer document
    Schema,
    /// Print the script that completes words in a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print a manual page, or write all of them to a folder
    Man(ManArgs),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    pub(super) merge: Option<ReportCommand>,
    #[command(flatten)]
    pub(super) drawn: DrawnArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Add reports up, as if one run had read all of their inputs in this order
    Merge(DrawnArgs),
}

#[derive(Debug, Args)]
pub(super) struct DrawnArgs {
    /// JSON reports, as --report FILE.json writes them
    #[arg(value_name = "REPORT", required = true)]
    pub(super) reports: Vec<PathBuf>,
    /// Write the page to this file
    #[arg(long, value_name = "FILE", value_parser = values::page)]
    pub(super) html: Vec<PathBuf>,
    /// Write the report to this .html, .csv or .json file; may be given more than once
    #[arg(long, value_name = "FILE", value_parser = values::report)]
    pub(super) report: Vec<PathBuf>,
    /// What standard output gets [default: a summary, unless files are written]
    #[arg(long, value_name = "FORMAT")]
    pub(super) output: Option<OutputArg>,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Keep rejected lines and the reasons in this folder
    #[arg(long, value_name = "DIR", env = "PROFILE_LOADER_REJECTS", hide_env = true)]
    pub(super) rejects: Option<PathBuf>,
    #[command(flatten)]
    pub(super) split: SplitArgs,
}

#[derive(Debug, Args)]
pub(super) struct LoadOrPartArgs {
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) part: PartArgs,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Rejected lines and the reasons go to this folder [default: profile-loader-rejects; none of --dry-run]
    #[arg(long, value_name = "DIR", env = "PROFILE_LOADER_REJECTS", hide_env = true)]
    pub(super) rejects: Option<PathBuf>,
    /// Places and codes of rejected documents go to the table profile_loader.rejected_documents as well
    #[arg(long, env = "PROFILE_LOADER_REJECTS_TABLE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) rejects_table: bool,
    /// How documents get into the tables: bulk fills empty ones without their indexes and foreign keys, which are
    /// built again afterwards; merge compares with what is stored; auto takes bulk where that is possible and worth it
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        env = "PROFILE_LOADER_STRATEGY",
        hide_env = true
    )]
    pub(super) strategy: StrategyArg,
    /// What a document gets whose id is stored, or came earlier in the input, with other contents: it is
    /// rejected, skipped, or the stored profile is brought to what it says
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "reject",
        env = "PROFILE_LOADER_ON_EXISTING",
        hide_env = true
    )]
    pub(super) on_existing: OnExistingArg,
    /// Say what the load would do to the database, and change nothing in it
    #[arg(long, env = "PROFILE_LOADER_DRY_RUN", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) dry_run: bool,
    /// Connections that load at the same time [default: 4; 1 with --atomic]
    #[arg(long, value_name = "N", value_parser = values::connections, env = "PROFILE_LOADER_CONNECTIONS", hide_env = true)]
    pub(super) connections: Option<usize>,
    /// Load everything in one transaction, or nothing: rolled back on any failure and beyond --max-rejects
    #[arg(long, env = "PROFILE_LOADER_ATOMIC", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) atomic: bool,
    /// Whether an unfinished run of the same input and settings is resumed; never: it is abandoned, and what it
    /// loaded counts as stored
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "PROFILE_LOADER_RESUME", hide_env = true)]
    pub(super) resume: ResumeArg,
    /// Refuse instead of applying missing DDL
    #[arg(long, env = "PROFILE_LOADER_NO_MIGRATE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) no_migrate: bool,
    /// How long to wait for a server that is down, restarting, out of connections or out of disk; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration, env = "PROFILE_LOADER_DB_WAIT", hide_env = true)]
    pub(super) db_wait: Duration,
    /// Wait while another loader is at work on the same tables, instead of refusing
    #[arg(long, env = "PROFILE_LOADER_WAIT_LOCK", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) wait_lock: bool,
    /// About how much input is loaded in one transaction
    #[arg(long, value_name = "BYTES", value_parser = values::batch_bytes, default_value_t = BATCH_BYTES, env = "PROFILE_LOADER_BATCH_BYTES", hide = true)]
    pub(super) batch_bytes: usize,
    /// How often a transaction that takes long is looked after
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::duration, env = "PROFILE_LOADER_WATCH_EVERY", hide = true)]
    pub(super) watch_every: Duration,
    /// How long the server may take to answer what takes it no time, waiting for locks included
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = values::duration, env = "PROFILE_LOADER_ANSWER_WITHIN", hide = true)]
    pub(super) answer_within: Duration,
    /// How long transactions under way may go on after a signal
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = values::duration, env = "PROFILE_LOADER_STOP_WITHIN", hide = true)]
    pub(super) stop_within: Duration,
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(super) struct DatabaseArgs {
    /// libpq URL or keyword string [default: DATABASE_URL, else DATABASE_HOST and related variables, else PGHOST and related variables]
    #[arg(
        long,
        value_name = "URL",
        env = "PROFILE_LOADER_DATABASE_URL",
        hide_env = true,
        hide_env_values = true
    )]
    pub(super) database_url: Option<String>,
    /// Where that comes from, for messages.
    #[arg(skip = "--database-url")]
    pub(super) url_origin: &'static str,
    /// Start a private PostgreSQL server from this machine's binaries, its data in DIR, and stop it at the end
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = EMBEDDED_DIR)]
    #[arg(conflicts_with = "database_url", env = "PROFILE_LOADER_EMBEDDED", hide_env = true)]
    pub(super) embedded: Option<PathBuf>,
    /// PostgreSQL schema of the four tables [default: DATABASE_SCHEMA, else public]
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), value_name = "NAME", env = "PROFILE_LOADER_DB_SCHEMA", hide_env = true)]
    pub(super) db_schema: Option<String>,
    /// How long an attempt to connect to one address may take, where the connection settings have no `connect_timeout`
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = values::duration, env = "PROFILE_LOADER_CONNECT_WITHIN", hide = true)]
    pub(super) connect_within: Duration,
}

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Create the tables, or adopt them where another program has made the same
    Up(DatabaseArgs),
    /// Drop the tables again
    Down {
        /// Drop them even while they hold rows, or though another program made them
        #[arg(long)]
        yes_delete_data: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Show which migrations were applied, when and by whom
    Status(DatabaseArgs),
    /// Show what differs from the tables as they should be, with the SQL that fixes it; changes nothing
    Verify(DatabaseArgs),
    /// Print the SQL that `up` would run; that for an empty database when none is named
    Sql(DatabaseArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List the runs into the schema of the tables, newest first
    List {
        /// List all of them
        #[arg(long, conflicts_with = "limit")]
        all: bool,
        /// List at most this many
        #[arg(long, value_name = "N", default_value_t = RUNS_LISTED)]
        limit: u32,
        #[command(flatten)]
        output: RunsOutputArgs,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Show all that is known of a run
    Show {
        /// Write the report of a run that came to its end to a file, as a page (.html), a table (.csv) or data (.json)
        #[arg(long, value_name = "FILE", value_parser = values::report)]
        report: Vec<PathBuf>,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Load the rejected documents of a run again, once they are fixed, and say how many are; takes the options of load, and by
    /// default the policy, tables and folder of the run
    Retry(Box<RetryArgs>),
    /// Abandon an unfinished run; what it has loaded stays
    Abandon(RunArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The number of the run
    #[arg(value_name = "ID")]
    pub(super) id: i64,
    #[command(flatten)]
    pub(super) output: RunsOutputArgs,
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunsOutputArgs {
    /// What standard output gets: text, or JSON
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        env = "PROFILE_LOADER_OUTPUT",
        hide_env = true
    )]
    pub(super) output: OutputArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum OutputArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum OnExistingArg {
    Reject,
    Skip,
    Update,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum StrategyArg {
    Auto,
    Bulk,
    Merge,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ResumeArg {
    Auto,
    Never,
}
