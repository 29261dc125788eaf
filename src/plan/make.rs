//! Makes a plan: every file is read through once, several at a time.

use std::{path::Path, sync::atomic::AtomicU64};

use rayon::prelude::*;

use super::{
    FORMAT, FramingName, Plan, PlanError, PlanSettings, PlannedSource, PlannedSplit, PlannedText, VERSION,
};
use crate::{
    input::{InputError, Source, Survey, survey},
    path_text::path_text,
    settings::FramingRequest,
};

/// What is planned.
#[derive(Debug)]
pub(crate) struct PlanRequest {
    pub(crate) sources: Vec<Source>,
    pub(crate) framing: FramingRequest,
    pub(crate) json_schema: Option<PlannedText>,
    pub(crate) map: Option<PlannedText>,
    /// About how long splits are of what can be split.
    pub(crate) split_bytes: u64,
    pub(crate) parts: u32,
    /// How many files are read at a time.
    pub(crate) jobs: usize,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error(transparent)]
    Input(InputError),
    #[error(transparent)]
    Plan(PlanError),
}

/// `read` counts stored bytes, for progress.
pub(crate) fn make(request: PlanRequest, read: &AtomicU64) -> Result<Plan, MakeError> {
    let PlanRequest { sources: files, framing, json_schema, map, split_bytes, parts, jobs } = request;
    let workers = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().expect("threads can be started");
    let look = |file: &Source| survey(file, framing, split_bytes, read).map_err(MakeError::Input);
    // Of several failures the first in input order is told.
    let surveys: Vec<_> = workers.install(|| files.par_iter().map(look).collect());
    let (mut sources, mut splits) = (Vec::with_capacity(files.len()), Vec::new());
    for (source, (file, survey)) in files.iter().zip(surveys).enumerate() {
        let Survey { bytes, digest, compression, framing, sections } = survey?;
        let Source::File(path) = file else { unreachable!("what is no file can't be surveyed") };
        refuse_name(path)?;
        splits.extend(sections.into_iter().map(|section| PlannedSplit {
            source,
            start: section.start,
            bytes: section.bytes,
            first_line: section.first_line,
            digest: section.digest,
        }));
        let (path, compression, framing) = (path.clone(), compression.to_owned(), framing.into());
        sources.push(PlannedSource { path, bytes, digest, compression, framing });
    }
    let framing = match framing {
        FramingRequest::Auto => None,
        FramingRequest::Only(framing) => Some(FramingName::from(framing)),
    };
    let settings = PlanSettings { framing, json_schema, map };
    let (digest, version) = (String::new(), VERSION.to_owned());
    let mut plan = Plan { format: FORMAT, digest, version, settings, parts, sources, splits };
    plan.digest = plan.computed_digest();
    Ok(plan)
}

fn refuse_name(path: &Path) -> Result<(), MakeError> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(MakeError::Plan(PlanError::Name { name: path_text(path) })),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::settings::Framing;

    fn plan(sources: Vec<Source>, split_bytes: u64) -> Plan {
        let framing = FramingRequest::Auto;
        let request =
            PlanRequest { sources, framing, json_schema: None, map: None, split_bytes, parts: 4, jobs: 2 };
        make(request, &AtomicU64::new(0)).unwrap()
    }

    #[test]
    fn a_plan_is_read_as_it_was_made_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.ndjson"), "{\"a\": 1}\n".repeat(100)).unwrap();
        fs::write(path("b.json"), "[{}, {}]").unwrap();
        let sources = vec![Source::File(path("a.ndjson")), Source::File(path("b.json"))];
        let made = plan(sources.clone(), 300);
        assert_eq!(made, plan(sources, 300), "the same of the same");
        assert_eq!((made.sources.len(), made.splits.len()), (2, 4));
        fs::write(path("plan.json"), made.to_json()).unwrap();
        assert_eq!(Plan::read(&path("plan.json")).unwrap(), made);

        let (source, section) = made.section(1, &path("plan.json")).unwrap();
        assert_eq!((source, section.framing), (Source::File(path("a.ndjson")), Framing::Ndjson));
        assert_eq!((section.range, section.first_line, section.file_bytes), (306..612, 35, 900));
        let (_, section) = made.section(3, &path("plan.json")).unwrap();
        assert_eq!((section.range, section.framing, section.text_digest), (0..8, Framing::Json, None));
        assert!(matches!(made.section(4, &path("plan.json")), Err(PlanError::NoSplit { splits: 4, .. })));

        let read = |text: String| {
            fs::write(path("other.json"), text).unwrap();
            Plan::read(&path("other.json")).unwrap_err().to_string()
        };
        assert!(read(made.to_json().replace("306", "305")).contains("was changed after it was made"));
        assert!(read(made.to_json().replace("\"format\": 1", "\"format\": 9")).contains("has format 9"));
        assert!(read("{}".to_owned()).contains("is not a plan"));
        let other_version = Plan { version: "0.0.9".to_owned(), ..made };
        let digest = other_version.computed_digest();
        assert!(read(Plan { digest, ..other_version }.to_json()).contains("is of profile-loader 0.0.9"));
    }
}
