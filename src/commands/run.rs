//! What every run over documents begins with: inputs, JSON Schema, reject files, progress.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::runtime::{Builder, Runtime};

use super::{Failure, RunRequest, exit};
use crate::{
    document::DocumentSchema,
    input::{self, ChunkReader, InputError, Source},
    pipeline::{Checker, LateDocuments, Plan},
    progress::Progress,
    report::{RejectFiles, SchemaIdentity},
    rows::RowForm,
    settings::RunSettings,
};

/// Threads of the lanes, which mostly wait for the server.
const RUNTIME_THREADS: usize = 2;

/// Inputs that were found and looked at, and the schema they will be held against.
pub(super) struct Opened {
    pub(super) reader: ChunkReader,
    pub(super) schema: Arc<DocumentSchema>,
    started: (SystemTime, Instant),
}

/// What the report says about a run besides what it found.
pub(super) struct About {
    pub(super) command: &'static str,
    pub(super) source_names: Vec<String>,
    pub(super) schema: SchemaIdentity,
    pub(super) started_at: SystemTime,
    pub(super) started: Instant,
}

/// All that the pipeline needs.
pub(super) struct Run {
    pub(super) reader: ChunkReader,
    pub(super) plan: Plan,
    pub(super) progress: Progress,
    pub(super) about: About,
}

impl Opened {
    /// Finds the inputs and the schema; nothing has been written when this fails.
    pub(super) fn open(settings: &RunSettings) -> Result<Self, Failure> {
        let started = (SystemTime::now(), Instant::now());
        let sources = input::resolve(&settings.inputs).map_err(of_input)?;
        refuse_own_files(&sources, settings.rejects.as_deref(), None)?;
        refuse_unwritable_reports(settings, &sources)?;
        let schema = match &settings.json_schema {
            None => DocumentSchema::built_in(),
            Some(path) => DocumentSchema::from_file(path).map_err(|error| Failure::of(exit::USAGE, error))?,
        };
        let reader = ChunkReader::open(sources, settings.chunk_bytes).map_err(of_input)?;
        Ok(Self { reader, schema: Arc::new(schema), started })
    }

    /// Begins to show progress and puts together what the pipeline needs.
    pub(super) fn start(
        self,
        command: &'static str,
        request: &RunRequest,
        rejects: Option<RejectFiles>,
        lanes: usize,
        form: RowForm,
        late: LateDocuments,
    ) -> Run {
        let settings = &request.settings;
        let sources = self.reader.sources();
        let source_names: Vec<_> = sources.iter().map(Source::name).collect();
        let total_bytes = sources.iter().map(Source::stored_bytes).sum();
        let progress = Progress::start(request.console, command, total_bytes);
        let schema =
            SchemaIdentity { source: self.schema.source.clone(), sha256: self.schema.sha256.clone() };
        let (started_at, started) = self.started;
        let about = About { command, source_names: source_names.clone(), schema, started_at, started };
        let keep_rejects = rejects.is_some();
        let checker = Checker { schema: self.schema, source_names, lanes, form, keep_rejects };
        let plan = Plan {
            checker,
            jobs: settings.jobs,
            chunk_bytes: settings.chunk_bytes,
            max_rejects: settings.max_rejects,
            rejects,
            late,
        };
        Run { reader: self.reader, plan, progress, about }
    }
}

/// `run_id` is that of a load's run.
pub(super) fn create_reject_files(
    settings: &RunSettings,
    sources: &[Source],
    run_id: Option<i64>,
) -> Result<Option<RejectFiles>, Failure> {
    refuse_own_files(sources, settings.rejects.as_deref(), run_id)?;
    let create = |dir: &PathBuf| RejectFiles::create(dir, run_id);
    settings.rejects.as_ref().map(create).transpose().map_err(|error| {
        let exit_code = if error.is_temporary() { exit::TEMPORARY } else { exit::USAGE };
        Failure::of(exit_code, error)
    })
}

/// The run would cut its own input off.
fn refuse_own_files(sources: &[Source], rejects: Option<&Path>, run_id: Option<i64>) -> Result<(), Failure> {
    let Some(dir) = rejects else { return Ok(()) };
    let partial = RejectFiles::partial_paths(dir, run_id);
    for source in sources {
        let Source::File(path) = source else { continue };
        let is_same = |own: &Path| match (fs::canonicalize(own), fs::canonicalize(path)) {
            (Ok(own), Ok(path)) => own == path,
            _ => false,
        };
        if is_same(&partial.documents) || is_same(&partial.errors) {
            return Err(Failure::new(
                exit::USAGE,
                format!(
                    "{} is written by this very command; rename it, or name another folder with --rejects",
                    path.display()
                ),
            ));
        }
    }
    Ok(())
}

/// Better now than after hours.
fn refuse_unwritable_reports(settings: &RunSettings, sources: &[Source]) -> Result<(), Failure> {
    let files = sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path),
        Source::Stdin => None,
    });
    let read: Vec<_> =
        files.chain(&settings.json_schema).filter_map(|path| fs::canonicalize(path).ok()).collect();
    for report in &settings.reports {
        let folder = report.parent().filter(|folder| !folder.as_os_str().is_empty());
        let reason = match folder {
            Some(folder) if !folder.is_dir() => format!("there is no folder {}", folder.display()),
            _ if report.is_dir() => "it is a folder".to_owned(),
            _ if fs::canonicalize(report).is_ok_and(|report| read.contains(&report)) => {
                "this very command reads it".to_owned()
            }
            _ => continue,
        };
        return Err(Failure::new(
            exit::USAGE,
            format!("the report {} can't be written: {reason}", report.display()),
        ));
    }
    Ok(())
}

pub(super) fn of_input(error: InputError) -> Failure {
    Failure::of(exit_code_of_input(&error), error)
}

pub(super) fn exit_code_of_input(error: &InputError) -> u8 {
    match error {
        InputError::Changed { .. } => exit::NEEDS_A_PERSON,
        error if error.is_temporary() => exit::TEMPORARY,
        _ => exit::USAGE,
    }
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .thread_name("lanes")
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))
}

pub(super) fn no_runtime(error: &io::Error) -> Failure {
    Failure::new(exit::TEMPORARY, format!("the program's threads can't be started: {error}"))
}
