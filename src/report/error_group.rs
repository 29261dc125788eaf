//! Groups of faults as the report has them: with the names of their sources.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    LineCells, SourceLocation,
    fault_groups::{FaultGroup, GROUP_CELLS_MAX},
    jq_line::jq_line,
    samples::Sample,
};
use crate::document::FaultKind;

/// Faults that break the same rule at the same place of their documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorGroup {
    pub code: String,
    /// JSON Pointer with every array index as `*`.
    pub pointer: String,
    pub schema_path: String,
    pub message: String,
    /// Faults.
    pub count: u64,
    /// Documents that have at least one of them.
    pub documents: u64,
    /// Documents that have no fault of another group.
    pub only_fault_of: u64,
    pub first: Place,
    pub last: Place,
    /// Where in the input the documents are.
    pub at: LineCells,
    /// Drawn at random, in input order.
    pub samples: Vec<SampleLocation>,
    /// What fixes it as a line of `--map`, where that is certain.
    #[serde(default)]
    pub jq: Option<String>,
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub source: String,
    /// Index into [`RunReport::inputs`](super::RunReport::inputs).
    pub input: usize,
    /// 1-based.
    pub line: u64,
    /// In the decompressed source.
    pub byte_offset: u64,
}

/// A document with a fault, and the shape of the value at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleLocation {
    #[serde(flatten)]
    pub place: Place,
    /// Never the value: letters are `A` and `a`, digits `9`. Empty where the fault has no value.
    pub shape: String,
}

impl ErrorGroup {
    /// `names` are the sources' names in the order of their indices.
    pub(super) fn of(group: FaultGroup, names: &[&str]) -> Self {
        let place = |place: SourceLocation| Place {
            source: names[place.source].to_owned(),
            input: place.source,
            line: place.line,
            byte_offset: place.byte_offset,
        };
        let sample = |sample: Sample| SampleLocation { place: place(sample.place), shape: sample.shape };
        let samples: Vec<_> = group.samples.into_vec().into_iter().map(sample).collect();
        let shapes = samples.iter().map(|sample| sample.shape.as_str());
        let FaultKind { code, group_pointer: pointer, schema_path, message } = &*group.kind;
        let jq = jq_line(code, pointer, message, &shapes);
        Self {
            code: code.clone().into_owned(),
            pointer: pointer.clone(),
            schema_path: schema_path.clone(),
            message: message.clone().into_owned(),
            count: group.count,
            documents: group.documents,
            only_fault_of: group.only_fault_of,
            first: place(group.first),
            last: place(group.last),
            at: group.cells,
            samples,
            jq,
        }
    }

    /// The group as it is counted, with other indices for its sources.
    pub(super) fn into_group(self, sources: &[usize]) -> FaultGroup {
        let place = |place: &Place| SourceLocation {
            source: sources[place.input],
            line: place.line,
            byte_offset: place.byte_offset,
        };
        FaultGroup {
            kind: Arc::new(FaultKind {
                code: self.code.into(),
                group_pointer: self.pointer,
                schema_path: self.schema_path,
                message: self.message.into(),
            }),
            count: self.count,
            documents: self.documents,
            only_fault_of: self.only_fault_of,
            first: place(&self.first),
            last: place(&self.last),
            cells: self.at.at_sources(sources).bounded(GROUP_CELLS_MAX),
            samples: self
                .samples
                .into_iter()
                .map(|sample| Sample { place: place(&sample.place), shape: sample.shape })
                .collect(),
        }
    }
}
