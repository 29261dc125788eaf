//! What every run over documents begins with: inputs, JSON Schema, reject files, progress.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    failure::{Failure, exit},
    standard_input,
};
use crate::{
    console::Console,
    document::DocumentSchema,
    input::{self, ChunkReader, InputError, RemoteFault, Source},
    map::DocumentMap,
    pipeline::{Checker, PipelineSettings, Rules, RunFiles},
    plan::BlockWriter,
    progress::Progress,
    report::{MapIdentity, PlanShare, RejectFiles, RejectPaths, RejectsError, RunReport, SchemaIdentity},
    rows::RowForm,
    settings::{DocumentSettings, FramingRequest},
};

/// Inputs that were found and looked at, and the schema they will be held against.
pub(super) struct OpenedInputs {
    pub(super) reader: ChunkReader,
    pub(super) schema: Arc<DocumentSchema>,
    pub(super) map: Option<Arc<DocumentMap>>,
    /// Of a split or a part.
    pub(super) share: Option<PlanShare>,
    /// Of the sources that documents stand in, where these are not what is read.
    pub(super) names: Option<Vec<String>>,
    /// The one that was requested.
    pub(super) framing: FramingRequest,
    pub(super) baseline: Option<Arc<RunReport>>,
    pub(super) started: (SystemTime, Instant),
}

/// What the report says about a run besides what it found.
#[derive(Debug, Clone)]
pub(super) struct ReportHeader {
    pub(super) command: &'static str,
    pub(super) source_names: Vec<String>,
    pub(super) schema: SchemaIdentity,
    pub(super) map: Option<MapIdentity>,
    pub(super) settings: BTreeMap<String, String>,
    /// Of a split.
    pub(super) plan: Option<PlanShare>,
    /// Whether rejected documents are no reason for an exit code above 0.
    pub(super) accept_rejects: bool,
    pub(super) baseline: Option<Arc<RunReport>>,
    pub(super) fail_on_new: bool,
    pub(super) started_at: SystemTime,
    pub(super) started: Instant,
}

/// The lanes that accepted documents are encoded for; none where they are only checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowsFor {
    pub(super) lanes: usize,
    pub(super) form: RowForm,
}

/// Says that documents will be checked at another speed than other schemas', and with `-v` what makes it so.
fn tell_the_long_way(schema: &DocumentSchema, console: Console) {
    if let Some(reason) = schema.goes_the_long_way() {
        console.info("the JSON Schema asks for more than can be checked in one pass, which takes several times as long (-v says what)");
        console.detail(&format!("what takes longer: {reason} in {}", schema.source));
    }
}

/// All that the pipeline needs.
pub(super) struct PipelineInput {
    pub(super) reader: ChunkReader,
    pub(super) settings: PipelineSettings,
    pub(super) progress: Progress,
    pub(super) header: ReportHeader,
}

impl OpenedInputs {
    /// Finds the inputs and the schema; nothing has been written when this fails.
    pub(super) fn open(settings: &DocumentSettings, console: Console) -> Result<Self, Failure> {
        let started = (SystemTime::now(), Instant::now());
        let warn = move |words: String| console.warn(&words);
        let sources =
            input::resolve(&settings.inputs, &settings.network, warn).map_err(failure_of_opening)?;
        if sources.contains(&Source::Stdin) {
            standard_input::refuse_unreadable()?;
        }
        warn_of_repeated(&sources, console);
        refuse_own_files(&sources, settings.rejects.as_deref(), None)?;
        let schema = match &settings.json_schema {
            None => DocumentSchema::built_in(),
            Some(path) => DocumentSchema::from_file(path, &crate::path_text::path_text(path))
                .map_err(|error| Failure::of(exit::USAGE, error))?,
        };
        let map = |path: &PathBuf| DocumentMap::from_file(path, &crate::path_text::path_text(path));
        let map = settings.map.as_ref().map(map).transpose();
        let map = map.map_err(|error| Failure::of(exit::USAGE, error))?.map(Arc::new);
        let baseline = read_baseline(settings)?;
        let reader = ChunkReader::open(sources, settings.framing, settings.chunk_bytes);
        let reader = reader.map_err(failure_of_opening)?;
        let (share, names, framing) = (None, None, settings.framing);
        Ok(Self { reader, schema: Arc::new(schema), map, share, names, framing, baseline, started })
    }

    /// Begins to show progress and puts together what the pipeline needs.
    pub(super) fn start(
        self,
        command: &'static str,
        settings: &DocumentSettings,
        console: Console,
        files: RunFiles,
        rows: RowsFor,
    ) -> PipelineInput {
        let RowsFor { lanes, form } = rows;
        let sources = self.reader.sources();
        let source_names = self.names.unwrap_or_else(|| sources.iter().map(Source::name).collect());
        let total_bytes = self.reader.stored_bytes();
        tell_the_long_way(&self.schema, console);
        let progress = Progress::start(console, command, total_bytes);
        let schema =
            SchemaIdentity { source: self.schema.source.clone(), sha256: self.schema.sha256.clone() };
        let map = self.map.as_deref().map(MapIdentity::of);
        let (started_at, started) = self.started;
        let header = ReportHeader {
            command,
            source_names: source_names.clone(),
            schema,
            map,
            settings: DocumentSettings { framing: self.framing, ..settings.clone() }.told(),
            plan: self.share,
            accept_rejects: settings.accept_rejects,
            baseline: self.baseline,
            fail_on_new: settings.fail_on_new,
            started_at,
            started,
        };
        let keep_rejects = files.rejects.is_some();
        let parts = files.blocks.as_ref().map_or(0, BlockWriter::parts);
        let rules = Rules { schema: self.schema, map: self.map };
        let checker = Checker::new(rules, source_names, lanes, form, keep_rejects, settings.has_details)
            .with_parts(parts);
        let settings = PipelineSettings {
            checker,
            jobs: settings.jobs,
            chunk_bytes: settings.chunk_bytes,
            max_rejects: settings.max_rejects.clone(),
            files,
        };
        PipelineInput { reader: self.reader, settings, progress, header }
    }
}

/// Tells of inputs that are named more than once: nobody means that, and what becomes of ids that come again is for
/// `--on-existing` to say.
pub(super) fn warn_of_repeated(sources: &[Source], console: Console) {
    let repeated = input::repeated(sources);
    let Some(((again, first), others)) = repeated.split_first() else { return };
    let (again, first) = (again.name(), first.name());
    let which = if again == first {
        format!("{first} is named more than once")
    } else {
        format!("{again} is the same as {first}")
    };
    let others = match others.len() {
        0 => String::new(),
        1 => ", and another input was named before as well".to_owned(),
        count => format!(", and {count} other inputs were named before as well"),
    };
    console.warn(&format!(
        "{which}{others}; its documents are read and counted each time: name every input once"
    ));
}

pub(super) fn read_baseline(settings: &DocumentSettings) -> Result<Option<Arc<RunReport>>, Failure> {
    let baseline = settings.baseline.as_deref().map(RunReport::from_file).transpose();
    baseline.map(|baseline| baseline.map(Arc::new)).map_err(|error| Failure::of(exit::USAGE, error))
}

/// `run_id` is that of a load's run.
pub(super) fn create_reject_files(
    settings: &DocumentSettings,
    sources: &[Source],
    run_id: Option<i64>,
) -> Result<Option<RejectFiles>, Failure> {
    refuse_own_files(sources, settings.rejects.as_deref(), run_id)?;
    if run_id.is_none() {
        refuse_to_replace_inputs(sources, settings.rejects.as_deref())?;
    }
    let create = |dir: &PathBuf| Ok(RejectFiles::create(dir, run_id)?.for_framing(settings.framing));
    settings.rejects.as_ref().map(create).transpose().map_err(failure_of_rejects)
}

/// Refuses a folder that reject files can't be made in, before a run is begun that would wait for it.
pub(super) fn try_rejects_folder(settings: &DocumentSettings) -> Result<(), Failure> {
    let tried = settings.rejects.as_deref().map(RejectFiles::try_folder).transpose();
    tried.map(drop).map_err(failure_of_rejects)
}

pub(super) fn failure_of_rejects(error: RejectsError) -> Failure {
    let exit_code = if error.is_temporary() { exit::TEMPORARY } else { exit::USAGE };
    Failure::of(exit_code, error)
}

/// The run would cut its own input off.
pub(super) fn refuse_own_files(
    sources: &[Source],
    rejects: Option<&Path>,
    run_id: Option<i64>,
) -> Result<(), Failure> {
    let Some(dir) = rejects else { return Ok(()) };
    let Some(path) = input_among(sources, &RejectFiles::partial_paths(dir, run_id)) else { return Ok(()) };
    let path = crate::path_text::path_text(path);
    Err(Failure::new(
        exit::USAGE,
        format!("{path} is written by this very command; rename it, or name another folder with --rejects"),
    ))
}

/// What only looks at documents would put the rejected ones in place of all of them: a load of that file would then miss
/// those that were fixed in it.
fn refuse_to_replace_inputs(sources: &[Source], rejects: Option<&Path>) -> Result<(), Failure> {
    let Some(dir) = rejects else { return Ok(()) };
    let Some(path) = input_among(sources, &RejectFiles::final_paths(dir)) else { return Ok(()) };
    let path = crate::path_text::path_text(path);
    Err(Failure::new(
        exit::USAGE,
        format!(
            "what this command rejects would take the place of {path}, and it loads nothing of what was fixed in there; \
             leave --rejects out (PROFILE_LOADER_REJECTS), or name another folder"
        ),
    ))
}

/// The first input that is one of these files.
fn input_among<'a>(sources: &'a [Source], files: &RejectPaths) -> Option<&'a PathBuf> {
    let own: Vec<_> = [&files.documents, &files.errors]
        .into_iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    sources.iter().find_map(|source| match source {
        Source::File(path) => fs::canonicalize(path).is_ok_and(|path| own.contains(&path)).then_some(path),
        _ => None,
    })
}

/// Refuses reports that can't be written: better now than after hours.
pub(super) fn refuse_unwritable_reports<'a>(
    reports: impl Iterator<Item = (&'static str, &'a PathBuf)>,
    settings: &DocumentSettings,
) -> Result<(), Failure> {
    let files = input::files(&settings.inputs).map_err(failure_of_input)?;
    let others = settings.json_schema.as_deref().into_iter().chain(settings.map.as_deref());
    refuse_unwritable(reports, files.iter().map(PathBuf::as_path).chain(others))
}

/// The same for a command that reads these files.
pub(super) fn refuse_unwritable<'a, 'r>(
    written: impl Iterator<Item = (&'static str, &'a PathBuf)>,
    read: impl Iterator<Item = &'r Path>,
) -> Result<(), Failure> {
    let read: Vec<_> = read.filter_map(|path| fs::canonicalize(path).ok()).collect();
    for (what, path) in written {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let reason = match folder {
            Some(folder) if !folder.is_dir() => {
                format!("there is no folder {}", crate::path_text::path_text(folder))
            }
            _ if path.is_dir() => "it is a folder".to_owned(),
            _ if fs::canonicalize(path).is_ok_and(|path| read.contains(&path)) => {
                "this very command reads it".to_owned()
            }
            _ => continue,
        };
        return Err(Failure::new(
            exit::USAGE,
            format!("{what} {} can't be written: {reason}", crate::path_text::path_text(path)),
        ));
    }
    Ok(())
}

pub(super) fn failure_of_input(error: InputError) -> Failure {
    Failure::of(exit_code_of_input(&error), error)
}

/// Where nothing has begun, an input that is refused is one that was named wrongly.
pub(super) fn failure_of_opening(error: InputError) -> Failure {
    match error {
        InputError::Remote {
            fault: RemoteFault::Refused { .. } | RemoteFault::Contradiction { .. }, ..
        } => Failure::of(exit::USAGE, error),
        error => failure_of_input(error),
    }
}

pub(super) fn exit_code_of_input(error: &InputError) -> u8 {
    match error {
        InputError::Changed { .. }
        | InputError::NotAsPlanned { .. }
        | InputError::Damaged { .. }
        | InputError::Remote { fault: RemoteFault::Changed { .. }, .. } => exit::NEEDS_A_PERSON,
        error if error.is_temporary() => exit::TEMPORARY,
        _ => exit::USAGE,
    }
}
