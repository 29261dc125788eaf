//! Words about the input, how it is checked, and who gets the report.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, thread};

use clap::{Args, builder::BoolishValueParser};

use super::{
    args::OutputArg,
    network::NetworkArgs,
    values::{self, FramingArg, MaxRejects},
};
use crate::{
    commands::{Failure, Output, ReportOutput, exit},
    console::Console,
    settings::{ConfigIdentity, DocumentSettings},
};

const CHUNK_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct DocumentArgs {
    /// Files of JSON documents (NDJSON, arrays, documents one after another), quoted globs, https:// URLs, objects in
    /// buckets (s3://, gs://, az://; not in every build), or - for standard input; gzip and zstd are recognised by content
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<OsString>,
    /// How documents are told apart: ndjson by lines; json by their brackets, in arrays, one after another or behind
    /// the separators of RFC 7464; auto as the first bytes of each input ask for
    #[arg(long, value_name = "HOW", default_value = "auto", env = "PROFILE_LOADER_FRAMING", hide_env = true)]
    pub(super) framing: FramingArg,
    /// Check against this JSON Schema instead of the built-in one (what the tables can hold is still checked)
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_JSON_SCHEMA", hide_env = true)]
    pub(super) json_schema: Option<PathBuf>,
    /// Make each document with this jq filter out of what the input has: one object is the document, empty drops it
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_MAP", hide_env = true)]
    pub(super) map: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// CPU workers [default: one for each core]
    #[arg(long, value_parser = values::jobs, value_name = "N", env = "PROFILE_LOADER_JOBS", hide_env = true)]
    pub(super) jobs: Option<usize>,
    /// Stop when more than N documents, or P% of them, were rejected (a share counts from 1000 documents on); also for
    /// one kind of fault, such as 'schema:format /emails/*=0.5%', and more than once
    #[arg(long, value_name = "[KIND=]N|P%", value_parser = values::max_rejects, allow_hyphen_values = true, env = "PROFILE_LOADER_MAX_REJECTS", hide_env = true)]
    pub(super) max_rejects: Vec<MaxRejects>,
    /// Also write the report to this .html, .csv or .json file; may be given more than once
    #[arg(long, value_name = "FILE", value_parser = values::report, env = "PROFILE_LOADER_REPORT", hide_env = true)]
    pub(super) report: Vec<PathBuf>,
    /// Also write the figures of the run to this .prom file, for the textfile collector of Prometheus
    #[arg(long, value_name = "FILE", value_parser = values::metrics, env = "PROFILE_LOADER_METRICS_FILE", hide_env = true)]
    pub(super) metrics_file: Option<PathBuf>,
    /// End with exit code 0 where rejected documents alone would make it 1
    #[arg(long, env = "PROFILE_LOADER_ACCEPT_REJECTS", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) accept_rejects: bool,
    /// Compare with this JSON report of an earlier run
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_BASELINE", hide_env = true)]
    pub(super) baseline: Option<PathBuf>,
    /// End with exit code 3 where there are kinds of faults that the baseline does not have
    #[arg(long, requires = "baseline", env = "PROFILE_LOADER_FAIL_ON_NEW", hide_env = true, value_parser = BoolishValueParser::new())]
    pub(super) fail_on_new: bool,
    /// About how much input a worker gets at once
    #[arg(long, value_name = "BYTES", value_parser = values::chunk_bytes, env = "PROFILE_LOADER_CHUNK_BYTES", hide = true)]
    pub(super) chunk_bytes: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct InputArgs {
    #[command(flatten)]
    pub(super) documents: DocumentArgs,
    #[command(flatten)]
    pub(super) check: CheckArgs,
    /// What standard output gets: a summary, or the JSON report
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        env = "PROFILE_LOADER_OUTPUT",
        hide_env = true
    )]
    pub(super) output: OutputArg,
    #[command(flatten)]
    network: NetworkArgs,
}

impl InputArgs {
    /// Which documents, how they are checked, and who gets the report.
    pub(super) fn settings(
        self,
        rejects: Option<PathBuf>,
        config: Option<ConfigIdentity>,
        console: Console,
    ) -> Result<(DocumentSettings, ReportOutput), Failure> {
        if self.documents.inputs.is_empty() {
            return Err(Failure::new(
                exit::USAGE,
                "no input is named; give files, quoted globs, or - for standard input (see --help)",
            ));
        }
        Ok(self.settings_without_inputs(rejects, config, console))
    }

    /// The same for what may do without inputs.
    pub(super) fn settings_without_inputs(
        self,
        rejects: Option<PathBuf>,
        config: Option<ConfigIdentity>,
        console: Console,
    ) -> (DocumentSettings, ReportOutput) {
        let DocumentArgs { inputs, framing, json_schema, map } = self.documents;
        let network = self.network.into();
        let (settings, output) = self.check.settings(Some(self.output.into()), rejects, config, console);
        (DocumentSettings { inputs, network, framing: framing.into(), json_schema, map, ..settings }, output)
    }
}

impl CheckArgs {
    /// How the documents of no input are checked.
    pub(super) fn settings(
        self,
        output: Option<Output>,
        rejects: Option<PathBuf>,
        config: Option<ConfigIdentity>,
        console: Console,
    ) -> (DocumentSettings, ReportOutput) {
        let documents = DocumentSettings {
            jobs: self.jobs.unwrap_or_else(cores),
            chunk_bytes: self.chunk_bytes.unwrap_or(CHUNK_BYTES),
            max_rejects: values::limits(self.max_rejects),
            accept_rejects: self.accept_rejects,
            has_details: !self.report.is_empty() || self.baseline.is_some() || output == Some(Output::Json),
            baseline: self.baseline,
            fail_on_new: self.fail_on_new,
            rejects,
            config,
            ..DocumentSettings::of([] as [OsString; 0])
        };
        let output = ReportOutput { reports: self.report, metrics: self.metrics_file, output, console };
        (documents, output)
    }
}

pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
