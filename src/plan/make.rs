//! Makes a plan: every file is read through once, several at a time. Of what is behind a URL the first bytes are looked at, where its
//! server says by an ETag which version they are of.

use std::sync::atomic::AtomicU64;

use rayon::prelude::*;

use super::{
    FORMAT, FramingName, Plan, PlanError, PlanSettings, PlannedPlace, PlannedSource, PlannedSplit,
    PlannedText, VERSION,
};
use crate::{
    input::{InputError, Pinned, Source, Survey, SurveyedSection, pin, survey},
    path_text::path_text,
    settings::FramingRequest,
};

/// How many servers are asked at the same time: it is waited for most of the time.
const SERVERS_AT_A_TIME: usize = 8;

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
    let has_remotes = files.iter().any(|source| matches!(source, Source::Remote(_)));
    let threads = if has_remotes { jobs.max(SERVERS_AT_A_TIME) } else { jobs };
    let workers =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let look = |file: &Source| look(file, framing, split_bytes, read);
    // Of several failures the first in input order is told.
    let planned: Vec<_> = workers.install(|| files.par_iter().map(look).collect());
    let (mut sources, mut splits) = (Vec::with_capacity(files.len()), Vec::new());
    for (source, planned) in planned.into_iter().enumerate() {
        let (planned, of_it) = planned?;
        sources.push(planned);
        splits.extend(of_it.into_iter().map(|split| PlannedSplit { source, ..split }));
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

/// One input, and its splits.
fn look(
    source: &Source,
    request: FramingRequest,
    split_bytes: u64,
    read: &AtomicU64,
) -> Result<(PlannedSource, Vec<PlannedSplit>), MakeError> {
    let place = place(source).map_err(MakeError::Plan)?;
    if let Some(Pinned { version, compression, framing }) = pin(source, request).map_err(MakeError::Input)? {
        let bytes = version.length.expect("it is pinned");
        let (compression, framing) = (compression.to_owned(), framing.into());
        let planned = PlannedSource { place, bytes, digest: None, etag: version.etag, compression, framing };
        let split = PlannedSplit { source: 0, start: 0, bytes, first_line: 1, digest: None };
        return Ok((planned, vec![split]));
    }
    let survey = survey(source, request, split_bytes, read).map_err(MakeError::Input)?;
    let Survey { bytes, digest, compression, framing, sections } = survey;
    let (compression, framing) = (compression.to_owned(), framing.into());
    let planned =
        PlannedSource { place, bytes, digest: Some(digest), etag: source.etag(), compression, framing };
    let split = |section: SurveyedSection| PlannedSplit {
        source: 0,
        start: section.start,
        bytes: section.bytes,
        first_line: section.first_line,
        digest: Some(section.digest),
    };
    Ok((planned, sections.into_iter().map(split).collect()))
}

/// Where whoever reads the plan finds it.
fn place(source: &Source) -> Result<PlannedPlace, PlanError> {
    match source {
        Source::File(path) if path.to_str().is_none() => Err(PlanError::Name { name: path_text(path) }),
        Source::File(path) => Ok(PlannedPlace::Path(path.clone())),
        Source::Remote(remote) => {
            remote.plain_url().map(PlannedPlace::Url).ok_or_else(|| PlanError::Query { name: source.name() })
        }
        // It is refused when it is read.
        Source::Stdin => Ok(PlannedPlace::Path("-".into())),
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
        assert_eq!((source.path(), section.framing), (Some(&*path("a.ndjson")), Framing::Ndjson));
        assert_eq!((section.range, section.first_line, section.file_bytes), (306..612, 35, 900));
        let (_, section) = made.section(3, &path("plan.json")).unwrap();
        assert_eq!((section.range, section.framing, section.file_digest), (0..8, Framing::Json, None));
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
