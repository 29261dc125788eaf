//! The words of `plan`, and those that name a split or a part of one.

use std::path::PathBuf;

use clap::Args;

use super::{
    args::OutputArg,
    inputs::{CheckArgs, DocumentArgs, cores},
    network::NetworkArgs,
    values,
};
use crate::{
    commands::{Failure, PlanFileRequest, PlanStep, SplitRequest, exit},
    console::Console,
};

/// How many parts when nobody says otherwise.
const PARTS: u32 = 16;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) documents: DocumentArgs,
    /// Write the plan to this file
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub(super) plan: PathBuf,
    /// About how long a split of a plain NDJSON file is; other files, and what is behind URLs, are one split each
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = values::size, env = "PROFILE_LOADER_SPLIT_SIZE", hide_env = true)]
    pub(super) split_size: u64,
    /// Into how many parts documents are put by their ids
    #[arg(long, value_name = "N", value_parser = values::parts, default_value_t = PARTS, env = "PROFILE_LOADER_PARTS", hide_env = true)]
    pub(super) parts: u32,
    /// How many files are read at a time [default: one for each core]
    #[arg(long, value_parser = values::jobs, value_name = "N", env = "PROFILE_LOADER_JOBS", hide_env = true)]
    pub(super) jobs: Option<usize>,
    /// What standard output gets: a summary, or the plan
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

impl PlanArgs {
    pub(super) fn request(self, console: Console) -> Result<PlanFileRequest, Failure> {
        let DocumentArgs { inputs, framing, json_schema, map } = self.documents;
        if inputs.is_empty() {
            return Err(Failure::new(
                exit::USAGE,
                "no input is named; give files, quoted globs or URLs (see --help)",
            ));
        }
        Ok(PlanFileRequest {
            inputs,
            framing: framing.into(),
            json_schema,
            map,
            split_bytes: self.split_size,
            parts: self.parts,
            network: self.network.into(),
            jobs: self.jobs.unwrap_or_else(cores),
            plan: self.plan,
            output: self.output.into(),
            console,
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct ScatterArgs {
    /// The plan
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_PLAN", hide_env = true)]
    pub(super) plan: PathBuf,
    /// The number of the split, counted from 0
    #[arg(long, value_name = "N", env = "PROFILE_LOADER_SPLIT", hide_env = true)]
    pub(super) split: usize,
    #[command(flatten)]
    pub(super) check: CheckArgs,
    /// Keep rejected lines and the reasons in this folder
    #[arg(long, value_name = "DIR", env = "PROFILE_LOADER_REJECTS", hide_env = true)]
    pub(super) rejects: Option<PathBuf>,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
}

#[derive(Debug, Args)]
pub(super) struct SplitArgs {
    /// Check a split of this plan in place of INPUT, with the framing, JSON Schema and map that the plan has
    #[arg(long, value_name = "FILE", requires = "split", env = "PROFILE_LOADER_PLAN", hide_env = true)]
    #[arg(conflicts_with_all = ["inputs", "framing", "json_schema", "map"])]
    pub(super) plan: Option<PathBuf>,
    /// The number of the split, counted from 0
    #[arg(long, value_name = "N", requires = "plan", env = "PROFILE_LOADER_SPLIT", hide_env = true)]
    #[arg(conflicts_with_all = ["inputs", "framing", "json_schema", "map"])]
    pub(super) split: Option<usize>,
}

impl SplitArgs {
    pub(super) fn request(self) -> Option<SplitRequest> {
        let (plan, split) = self.plan.zip(self.split)?;
        Some(SplitRequest { plan, split })
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "On many machines")]
pub(super) struct PartArgs {
    /// Load this plan, whose splits were written by scatter, in the steps that follow
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_PLAN", hide_env = true)]
    plan: Option<PathBuf>,
    /// First: make the tables, and for a bulk load drop their indexes and foreign keys
    #[arg(long, requires = "plan", conflicts_with_all = ["part", "finish"])]
    begin: bool,
    /// Then: load the blocks of this part, counted from 0, sorted by split and number; from standard input, or the files in
    /// their order. Each part once, anywhere, several at a time
    #[arg(
        long,
        value_name = "K",
        requires = "plan",
        conflicts_with = "finish",
        env = "PROFILE_LOADER_PART",
        hide_env = true
    )]
    part: Option<u32>,
    /// At last: restore what was dropped, and add up the reports of the parts, with those of scatter where these are the INPUTs
    #[arg(long, requires = "plan")]
    finish: bool,
    /// Put parts into several databases: a file with lines such as 0-7 postgresql://db1.example/app; the same for all steps
    #[arg(long, value_name = "FILE", requires = "plan", env = "PROFILE_LOADER_TARGETS", hide_env = true)]
    #[arg(conflicts_with_all = ["database_url", "embedded"])]
    pub(super) targets: Option<PathBuf>,
}

impl PartArgs {
    pub(super) fn step(&self) -> Option<PlanStep> {
        match (self.part, self.begin, self.finish) {
            (Some(part), _, _) => Some(PlanStep::Part(part)),
            (None, true, _) => Some(PlanStep::Begin),
            (None, false, true) => Some(PlanStep::Finish),
            (None, false, false) => None,
        }
    }

    /// The plan and what is done of it.
    pub(super) fn plan_and_step(self) -> Result<Option<(PathBuf, PlanStep)>, Failure> {
        match (self.step(), self.plan) {
            (Some(step), Some(plan)) => Ok(Some((plan, step))),
            (None, Some(_)) => Err(Failure::new(
                exit::USAGE,
                "a plan is loaded in steps: give --plan with --begin, --part K or --finish",
            )),
            (_, None) => Ok(None),
        }
    }
}
