//! A look at the beginning of inputs, before anything is read: those behind URLs several at a time, for each takes as long as
//! its server's answer.

use std::{
    io::Read as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    InputError, RemoteFault, Source,
    decompress::Decompressed,
    open_source::{recognise, whole_lines},
    sniff::{self, BOM, HEAD_BYTES},
};
use crate::settings::{Framing, FramingRequest};

/// How many servers are asked at the same time.
const AT_A_TIME: usize = 8;

/// Looks at all that can be read again, and tells how many of them are compressed; the error is that of the first that has one.
pub(super) fn probe_all(sources: &[Source], framing: FramingRequest) -> Result<usize, InputError> {
    let next = AtomicUsize::new(0);
    let compressed = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, InputError)>> = Mutex::new(None);
    let failed_first = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    // Those before one that failed were all begun before it.
    let work = || {
        while failed_first().is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(at) else { return };
            if !source.is_rereadable() {
                continue;
            }
            match probe(source, framing) {
                Ok((form, _)) => {
                    compressed.fetch_add(usize::from(form != Decompressed::PLAIN), Ordering::Relaxed);
                }
                Err(error) => {
                    let mut first = failed_first();
                    if first.as_ref().is_none_or(|(before, _)| at < *before) {
                        *first = Some((at, error));
                    }
                }
            }
        }
    };
    let remotes = sources.iter().filter(|source| source.as_remote().is_some()).count();
    thread::scope(|scope| {
        // This thread is one of them.
        for _ in 1..remotes.min(AT_A_TIME) {
            if thread::Builder::new().name("probe".to_owned()).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(compressed.into_inner()),
    }
}

/// What a file is wrapped in, and its framing. Refuses one whose first bytes are those of no documents; damage is left to
/// the read that meets it.
pub(super) fn probe(source: &Source, framing: FramingRequest) -> Result<(&'static str, Framing), InputError> {
    let name = source.name();
    let stream = Decompressed::new(source.open()?, Arc::new(AtomicU64::new(0)))
        .map_err(|error| InputError::open(name.clone(), error))?;
    let form = stream.form;
    let mut head = Vec::new();
    // An error keeps what was read before it, which is all that is wanted here.
    let read = stream.take((HEAD_BYTES + BOM.len()) as u64).read_to_end(&mut head);
    if let Err(error) = &read
        && let Some(fault) = RemoteFault::within(error)
    {
        return Err(InputError::Remote { name, byte_offset: 0, fault: fault.clone() });
    }
    let head = whole_lines(&head[sniff::bom_bytes(&head)..], read.is_err());
    recognise(head, framing, &name, form).map(|framing| (form, framing))
}
