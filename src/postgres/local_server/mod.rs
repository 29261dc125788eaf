//! The private PostgreSQL server of `--embedded`: started from this machine's binaries, stopped with us.
//!
//! It knows nothing of what is loaded. Its folder DIR holds `data` (PGDATA), `server.log` and `socket`.
//! There is no password (`trust`), which is safe because there is no TCP port either, and the socket lies
//! in a folder that only the server's user may enter (0700). The tricky thing is the end: `server.sh` runs
//! beside us, holds the server, and stops it when its standard input ends, in whatever way we end.
//!
//! A crash leaves a data directory that the next start recovers, or `data.new.*`, which it removes.

mod binaries;
mod configuration;
mod data_dir;
mod error;
mod user;

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use tokio_postgres::Config;

use binaries::Binaries;
use configuration::PORT;
pub use error::LocalServerError;
use error::io_error;
use user::{ServerUser, quote};

use crate::path_text::path_text;

/// A running server; stopped by [`LocalServer::stop`], by dropping it, and by the end of this process.
#[derive(Debug)]
pub struct LocalServer {
    /// Absolute, without symbolic links.
    dir: PathBuf,
    socket_dir: PathBuf,
    binaries: Binaries,
    user: ServerUser,
    watchdog: Child,
    answers: BufReader<ChildStdout>,
}

impl LocalServer {
    /// Starts the server of `dir`, after setting it up when `dir` is new or empty; returns when it accepts
    /// connections. After a crash that includes PostgreSQL's recovery.
    pub fn start(dir: &Path) -> Result<Self, LocalServerError> {
        let user = ServerUser::choose(dir)?;
        let dir = data_dir::prepare(dir, &user)?;
        let socket_dir = configuration::socket_dir(&dir);
        let data_version = data_dir::version(&dir)?;
        let binaries = Binaries::find(&dir, data_version.as_deref())?;
        if data_version.is_some() {
            data_dir::ensure_unused(&dir, &socket_dir, &user)?;
        }
        let settings = configuration::settings(&socket_dir, configuration::memory_bytes());

        let mut command = user.command("sh");
        command.args(["-c", include_str!("server.sh"), "server.sh"]).arg(&binaries.dir).arg(&dir);
        command.arg(&socket_dir).arg(settings);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C on the terminal is for us; the server is stopped when we are done with it.
        command.process_group(0);
        let mut watchdog = command.spawn().map_err(|source| io_error("starting sh", source))?;
        let stdout = watchdog.stdout.take().expect("its standard output is piped");
        let mut server = Self { dir, socket_dir, binaries, user, watchdog, answers: BufReader::new(stdout) };
        server.await_ready()?;
        Ok(server)
    }

    /// How to connect: as superuser, to the database `postgres`.
    pub fn connection_config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket_dir).port(PORT).user("postgres").dbname("postgres");
        config
    }

    /// The shell command that looks into the database while the server runs.
    pub fn psql_command(&self) -> String {
        let psql = if binaries::on_path("psql") { "psql".into() } else { self.binaries.dir.join("psql") };
        let (psql, socket_dir) = (quote(&psql), quote(&self.socket_dir));
        format!("{}{psql} -h {socket_dir} -p {PORT} -U postgres postgres", self.user.psql_prefix())
    }

    /// The shell command that starts the server again, without us.
    pub fn start_again_command(&self) -> String {
        let pg_ctl = quote(&self.binaries.dir.join("pg_ctl"));
        let (data, log) = (quote(&self.dir.join("data")), quote(&self.dir.join("server.log")));
        let prefix = self.user.command_prefix();
        let start = format!("{prefix}{pg_ctl} -D {data} -l {log} start");
        if self.socket_dir.starts_with(&self.dir) {
            start
        } else {
            // Temporary folders are cleared now and then.
            format!("{prefix}mkdir -p -m 700 {} && {start}", quote(&self.socket_dir))
        }
    }

    /// Stops the server (fast mode: open transactions are rolled back) and waits until it is down.
    pub fn stop(mut self) -> Result<(), LocalServerError> {
        let (status, log) = self.halt().map_err(|source| io_error("stopping the server", source))?;
        if status { Ok(()) } else { Err(LocalServerError::Stop { dir: self.dir_name(), log }) }
    }

    fn await_ready(&mut self) -> Result<(), LocalServerError> {
        let mut verdict = String::new();
        self.answers.read_line(&mut verdict).map_err(|source| io_error("hearing from sh", source))?;
        if verdict.trim_end() == "ready" {
            return Ok(());
        }
        let (_, log) = self.halt().map_err(|source| io_error("hearing from sh", source))?;
        let dir = self.dir_name();
        Err(match verdict.trim_end() {
            "unreachable" => LocalServerError::Unreachable { dir, user: self.user.name.clone() },
            "initdb" => LocalServerError::Initdb { dir, output: log },
            _ => LocalServerError::Start { dir, log },
        })
    }

    /// Lets the watchdog do its work and end; whether that went well, and what it had to say.
    fn halt(&mut self) -> io::Result<(bool, String)> {
        drop(self.watchdog.stdin.take());
        let mut words = Vec::new();
        self.answers.read_to_end(&mut words)?;
        let status = self.watchdog.wait()?;
        let words = String::from_utf8_lossy(&words);
        Ok((status.success(), words.trim_end().trim_start_matches("stop\n").to_owned()))
    }

    fn dir_name(&self) -> String {
        path_text(&self.dir)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        // There is nobody left to tell; the server's log has it.
        let _ = self.halt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        let check = |path: &str, quoted: &str| assert_eq!(quote(Path::new(path)), quoted);
        check("/srv/loader-1/data", "/srv/loader-1/data");
        check("/my data", "'/my data'");
        check("/it's", r"'/it'\''s'");
        check("/$HOME", "'/$HOME'");
    }
}
