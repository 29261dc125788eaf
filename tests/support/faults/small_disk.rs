//! A disk that is soon full, and can be given room again.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::geteuid;

/// The file that takes the room away.
const BALLAST: &str = "ballast";

/// A file system in memory of its own, gone with this value or the process.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    path: PathBuf,
    /// Unmounts the disk when its standard input is closed.
    watchdog: Child,
}

impl SmallDisk {
    /// Mounts one at a folder that exists. Without the right to do so the test fails; it never passes unrun.
    pub(crate) fn mount(path: &Path, bytes: u64) -> Self {
        assert!(geteuid().is_root(), "a full disk is tested on a small one, and only root may mount it");
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("small_disk.sh"), "small_disk.sh"]).arg(path).arg(bytes.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C on the tests' terminal must reach us, not the one that cleans up after us.
        command.process_group(0);
        let mut watchdog = command.spawn().expect("sh starts");
        let mut answer = String::new();
        let stdout = watchdog.stdout.take().expect("its standard output is a pipe");
        BufReader::new(stdout).read_line(&mut answer).expect("small_disk.sh answers");
        assert_eq!(answer.trim_end(), "ready");
        Self { path: path.to_owned(), watchdog }
    }

    /// Takes all room but so many bytes away.
    pub(crate) fn fill_but(&self, bytes: u64) {
        let mut ballast = File::create(self.path.join(BALLAST)).expect("the disk is writable");
        let page = [1; 4096];
        let full = loop {
            match ballast.write_all(&page) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
        let length = ballast.metadata().expect("it is open").len();
        ballast.set_len(length.saturating_sub(bytes)).expect("it can be cut");
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        fs::remove_file(self.path.join(BALLAST)).expect("the disk was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        drop(self.watchdog.wait());
    }
}
