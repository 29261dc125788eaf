//! An input that comes through a named pipe: a part of it at once, and the rest when the test says so.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Command,
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
};

use super::loader::INPUT;
use crate::support::Store;

/// The pipe in place of a store's input.
#[derive(Debug)]
pub(crate) struct PipedInput {
    text: Vec<u8>,
    send_rest: SyncSender<()>,
    writer: JoinHandle<()>,
}

impl PipedInput {
    /// Whoever opens the input reads its whole lines in about so many bytes, and waits for more. A load looks at
    /// the first 64 KiB before it does anything else.
    pub(crate) fn of(store: &Store, first_bytes: usize) -> Self {
        let path = store.path(INPUT);
        let text = fs::read(&path).expect("the store has an input");
        fs::remove_file(&path).expect("the folder is writable");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo makes a named pipe");
        let end = text[..first_bytes].iter().rposition(|byte| *byte == b'\n').expect("it has lines") + 1;
        let (send_rest, wait) = mpsc::sync_channel(1);
        let parts = [text[..end].to_vec(), text[end..].to_vec()];
        let writer = thread::spawn(move || {
            // Waits for a reader.
            let mut pipe = File::options().write(true).open(&path).expect("it is a pipe");
            // A reader that has gone is the test's to notice.
            if pipe.write_all(&parts[0]).is_ok() && wait.recv().is_ok() {
                drop(pipe.write_all(&parts[1]));
            }
        });
        Self { text, send_rest, writer }
    }

    /// Sends the rest and the end of the input; the next who opens it finds a file.
    pub(crate) fn finish(self, store: &Store) {
        // The writer has gone if the reader has.
        let _ = self.send_rest.send(());
        self.writer.join().expect("the writer does not panic");
        let path = store.path(INPUT);
        fs::remove_file(&path).expect("the pipe is there");
        fs::write(path, self.text).expect("the folder is writable");
    }
}
