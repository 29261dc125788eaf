//! What the system has to give the process before it begins: descriptors and threads. Some of it is taken where a
//! refusal could only be a panic, so it is tried beforehand, all at a time, and given back.

use std::{
    fs::File,
    io, iter,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    failure::{Failure, exit},
    runtime::no_threads,
};
use crate::map;

/// Besides connections and inputs: the runtime's own, reject files, the spill, a report, looking names up.
const FILES: usize = 23;

/// Besides workers and readers: the runtime's own, looking names up, progress.
const THREADS: usize = 5;

/// Enough to wait on.
const STACK_BYTES: usize = 64 * 1024;

/// Refuses where a command that opens so many connections, reads so many inputs at the same time and has so many workers would
/// fail for a limit of the process.
pub(super) fn refuse_tight(
    connections: usize,
    inputs: usize,
    jobs: usize,
    has_map: bool,
) -> Result<(), Failure> {
    let files = FILES + connections + inputs;
    if try_files(files).is_err() {
        raise_files();
        try_files(files).map_err(|error| no_files(&error, files))?;
    }
    try_threads(THREADS + inputs + jobs, STACK_BYTES).map_err(|error| no_threads(&error))?;
    if has_map {
        // One of them compiles the map.
        try_threads(jobs.max(1), map::STACK_BYTES).map_err(|error| no_stacks(&error))?;
    }
    Ok(())
}

fn no_stacks(error: &io::Error) -> Failure {
    let message = format!(
        "the threads that apply a map can't be started: {error}; each wants an address range of {} MiB for its stack: \
         raise the limit (ulimit -v, LimitAS= of a service) or use fewer with --jobs",
        map::STACK_BYTES >> 20
    );
    Failure::new(exit::TEMPORARY, message)
}

/// Whether there may be so many open files more.
fn try_files(files: usize) -> io::Result<()> {
    let open = iter::repeat_with(|| File::open("/dev/null")).take(files);
    let result: io::Result<Vec<File>> = open.collect();
    match result {
        // What else is wrong with it is no limit.
        Err(error) if is_limit(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_limit(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].into_iter().any(|limit| Errno::from_io_error(error) == Some(limit))
}

/// As far as the process may by itself.
fn raise_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // It may be refused, which the next attempt shows.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn no_files(error: &io::Error, files: usize) -> Failure {
    if Errno::from_io_error(error) == Some(Errno::NFILE) {
        let message =
            format!("files can't be opened: {error}; the system has too many open, try again later");
        return Failure::new(exit::TEMPORARY, message);
    }
    let limit = getrlimit(Resource::Nofile).current.map_or_else(String::new, |limit| format!(" of {limit}"));
    Failure::new(
        exit::TEMPORARY,
        format!(
            "too many open files: {files} more are needed than were open at the start, and the limit{limit} is below \
             that; raise it (ulimit -n {}, LimitNOFILE= of a service)",
            (files + 8).next_multiple_of(64)
        ),
    )
}

/// Whether so many threads can run at a time.
fn try_threads(threads: usize, stack_bytes: usize) -> io::Result<()> {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let start = || {
        let gate = Arc::clone(&gate);
        let wait = move || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
        thread::Builder::new().stack_size(stack_bytes).spawn(wait)
    };
    let mut started: Vec<JoinHandle<()>> = Vec::new();
    let result = iter::repeat_with(start).take(threads).try_for_each(|thread| {
        started.push(thread?);
        Ok(())
    });
    drop(closed);
    // They do nothing that could fail.
    started.into_iter().for_each(|thread| drop(thread.join()));
    result
}
