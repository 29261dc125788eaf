//! What stands in the server's folder, and whether it may be started there.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::user::ServerUser;
use super::{
    configuration::PORT,
    error::{LocalServerError, io_error},
};
use crate::path_text::path_text;

/// A server that is shutting down writes its dirty buffers first: seconds, a minute on slow disks.
const SHUTDOWN_SECONDS_MAX: u64 = 120;
/// When a loader is killed, its server learns of it a moment later.
const GRACE_SECONDS: u64 = 2;
const POLL_MS: u64 = 50;

/// Makes the folder where it is missing, gives it to the server's user, and refuses one that is not ours.
/// Returns its absolute path without symbolic links.
pub(super) fn prepare(dir: &Path, user: &ServerUser) -> Result<PathBuf, LocalServerError> {
    let doing = |what: &str| {
        let what = format!("{what} {}", path_text(dir));
        move |source| io_error(what, source)
    };
    fs::create_dir_all(dir).map_err(doing("creating the folder"))?;
    let name = || path_text(dir);
    match is_new_or_ours(dir) {
        Ok(true) => {}
        Ok(false) => return Err(LocalServerError::Foreign { dir: name() }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(LocalServerError::Unreachable { dir: name(), user: user.name.clone() });
        }
        Err(source) => return Err(doing("listing the folder")(source)),
    }
    let metadata = fs::metadata(dir).map_err(doing("looking at the folder"))?;
    if let (Some((uid, gid)), 0) = (user.ids, metadata.uid()) {
        chown(dir, Some(uid), Some(gid)).map_err(doing(&format!("giving user {} the folder", user.name)))?;
    }
    fs::canonicalize(dir).map_err(doing("resolving the path of"))
}

/// The major version that made the data; none where there is none yet.
pub(super) fn version(dir: &Path) -> Result<Option<String>, LocalServerError> {
    let file = dir.join("data/PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(Some(version.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(format!("reading {}", path_text(&file)), source)),
    }
}

/// Refuses data that a server works on; waits for one that is shutting down; clears away what a crashed one
/// left where PostgreSQL would not.
pub(super) fn ensure_unused(
    dir: &Path,
    socket_dir: &Path,
    user: &ServerUser,
) -> Result<(), LocalServerError> {
    let socket = format!(".s.PGSQL.{PORT}");
    let (data, socket_lock) = (dir.join("data"), socket_dir.join(format!("{socket}.lock")));
    let socket = socket_dir.join(socket);
    let pid_file = data.join("postmaster.pid");
    let begin = Instant::now();
    while let Some((pid, stopping)) = read_pid_file(&pid_file)? {
        // The socket answers for a server in another container, too, whose numbers mean nothing here.
        let running = serves(pid, &data) || UnixStream::connect(&socket).is_ok();
        if !running {
            break;
        }
        let patience = Duration::from_secs(if stopping { SHUTDOWN_SECONDS_MAX } else { GRACE_SECONDS });
        if begin.elapsed() > patience {
            return Err(LocalServerError::Running { dir: path_text(dir), pid });
        }
        thread::sleep(Duration::from_millis(POLL_MS));
    }
    remove_if_stale(&pid_file, user)?;
    remove_if_stale(&socket_lock, user)
}

/// Removes a lock file of a server that is gone where another process, or its zombie, has its number.
/// PostgreSQL sees to all the other stale ones; here it would believe that the server still runs.
fn remove_if_stale(lock_file: &Path, user: &ServerUser) -> Result<(), LocalServerError> {
    let Some((pid, _)) = read_pid_file(lock_file)? else { return Ok(()) };
    if exists(pid) {
        let what = || format!("removing {}", path_text(lock_file));
        let status = user.command("rm").arg("-f").arg(lock_file).stderr(Stdio::null()).status();
        if !status.map_err(|source| io_error(what(), source))?.success() {
            return Err(io_error(what(), io::ErrorKind::PermissionDenied.into()));
        }
    }
    Ok(())
}

/// Data that others made has no profile_loader.conf; Red Hat's /var/lib/pgsql has a `data`, too.
fn is_new_or_ours(dir: &Path) -> io::Result<bool> {
    match fs::metadata(dir.join("data/profile_loader.conf")) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        Err(_) => {}
    }
    let names =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<OsString>>>()?;
    // What a start leaves that was interrupted, and what every new file system has.
    Ok(names.iter().all(|name| {
        let known = ["server.log", "socket", "lost+found"].iter().any(|known| name.as_os_str() == *known);
        known || name.as_encoded_bytes().starts_with(b"data.new.")
    }))
}

fn read_pid_file(file: &Path) -> Result<Option<(u32, bool)>, LocalServerError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(parse_pid_file(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(format!("reading {}", path_text(file)), source)),
    }
}

/// The process id, and whether the server is shutting down (first and eighth line; PostgreSQL's pidfile.h).
fn parse_pid_file(text: &str) -> Option<(u32, bool)> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    Some((pid, lines.nth(6).is_some_and(|status| status.trim() == "stopping")))
}

/// Whether the process is a server that works in this data directory. A zombie does not.
fn serves(pid: u32, data: &Path) -> bool {
    if Path::new("/proc/self").exists() {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    }
    let output = Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"))
}

/// Whether PostgreSQL would take the number for a running server; for it zombies count.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_tells_the_process_and_whether_it_ends() {
        let check = |text: &str, expected| assert_eq!(parse_pid_file(text), expected);
        check("42\n/d/data\n1700000000\n5432\n/d/socket\n\n 1 2\nready   \n", Some((42, false)));
        check("42\n/d/data\n1700000000\n5432\n/d/socket\n\n 1 2\nstopping\n", Some((42, true)));
        check("42\n", Some((42, false)));
        check("", None);
        check("garbage", None);
    }

    #[test]
    fn only_new_folders_and_our_own_are_taken() {
        let check = |paths: &[&str], expected: bool| {
            let dir = tempfile::tempdir().unwrap();
            for path in paths {
                let file = dir.path().join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            assert_eq!(is_new_or_ours(dir.path()).unwrap(), expected, "{paths:?}");
        };
        check(&[], true);
        check(&["lost+found/x"], true);
        check(&["data.new.7/PG_VERSION", "server.log"], true);
        check(&["data/PG_VERSION", "data/profile_loader.conf", "notes.txt"], true);
        check(&["data/PG_VERSION"], false);
        check(&["server.log", "thesis.tex"], false);
    }
}
