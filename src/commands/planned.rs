//! Inputs, JSON Schema and map of a split, which its plan has.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    failure::{Failure, exit},
    inputs::{OpenedInputs, failure_of_opening, read_baseline, refuse_own_files, refuse_unwritable},
};
use crate::{
    console::Console,
    document::DocumentSchema,
    input::{ChunkReader, Section},
    map::DocumentMap,
    plan::{Plan, PlannedSource},
    report::PlanShare,
    settings::DocumentSettings,
};

/// Which split of which plan.
#[derive(Debug)]
pub(crate) struct SplitRequest {
    pub(crate) plan: PathBuf,
    /// Counted from 0.
    pub(crate) split: usize,
}

/// A split of a plan that was read.
#[derive(Debug)]
pub(super) struct OpenedSplit {
    pub(super) plan: Plan,
    pub(super) split: usize,
    path: PathBuf,
}

impl OpenedSplit {
    pub(super) fn read(request: &SplitRequest) -> Result<Self, Failure> {
        let plan = Plan::read(&request.plan).map_err(|error| Failure::of(exit::USAGE, error))?;
        let opened = Self { plan, split: request.split, path: request.plan.clone() };
        opened.section()?;
        Ok(opened)
    }

    fn section(&self) -> Result<(&PlannedSource, Section), Failure> {
        self.plan.section(self.split, &self.path).map_err(|error| Failure::of(exit::USAGE, error))
    }

    /// The index of its source in the plan.
    pub(super) fn source_index(&self) -> usize {
        self.plan.splits[self.split].source
    }

    /// Refuses reports that can't be written.
    pub(super) fn refuse_unwritable_reports<'a>(
        &self,
        reports: impl Iterator<Item = (&'static str, &'a PathBuf)>,
    ) -> Result<(), Failure> {
        let (source, _) = self.section()?;
        let read = [Some(&*self.path), source.path()];
        refuse_unwritable(reports, read.into_iter().flatten())
    }

    /// Opens what it reads; nothing has been written when this fails.
    pub(super) fn open(
        &self,
        settings: &DocumentSettings,
        console: Console,
    ) -> Result<OpenedInputs, Failure> {
        let started = (SystemTime::now(), Instant::now());
        let (source, section) = self.section()?;
        let warn = move |words: String| console.warn(&words);
        let source = source.source(&settings.network, warn).map_err(failure_of_opening)?;
        refuse_own_files(std::slice::from_ref(&source), settings.rejects.as_deref(), None)?;
        let (schema, map) = rules_of(&self.plan)?;
        let baseline = read_baseline(settings)?;
        let reader =
            ChunkReader::open_section(source, section, settings.chunk_bytes).map_err(failure_of_opening)?;
        let to_u64 = |count: usize| u64::try_from(count).expect("a count has 64 bits");
        let share = PlanShare::of_split(
            self.plan.digest.clone(),
            to_u64(self.plan.splits.len()),
            to_u64(self.split),
            self.source_index(),
        );
        let (share, names, framing) = (Some(share), None, self.plan.framing());
        Ok(OpenedInputs { reader, schema, map, share, names, framing, baseline, started })
    }

    /// Whether its documents go through a map.
    pub(super) fn has_map(&self) -> bool {
        self.plan.settings.map.is_some()
    }
}

/// What a plan holds documents against.
pub(super) fn rules_of(plan: &Plan) -> Result<(Arc<DocumentSchema>, Option<Arc<DocumentMap>>), Failure> {
    let usage = |error: &dyn std::error::Error| Failure::new(exit::USAGE, error.to_string());
    let schema = match &plan.settings.json_schema {
        None => DocumentSchema::built_in(),
        Some(schema) => {
            DocumentSchema::compile(&schema.text, &schema.source).map_err(|error| usage(&error))?
        }
    };
    let map = plan.settings.map.as_ref();
    let map = map.map(|map| DocumentMap::compile(&map.text, &map.source)).transpose();
    let map = map.map_err(|error| usage(&error))?.map(Arc::new);
    Ok((Arc::new(schema), map))
}
