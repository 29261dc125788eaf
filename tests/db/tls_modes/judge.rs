//! A server whose certificate can be changed, psql and the program beside each other, and what came of each attempt.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::path;
use crate::{
    conninfo::{find_psql, last_session, run_psql},
    support::{Output, TestServer, binary, run},
};

pub(super) const PASSWORD: &str = "s3cret-word";

const RULES: &str = "local all postgres trust
local all clear password
hostssl all tls_only 127.0.0.1/32 trust
hostnossl all plain_only 127.0.0.1/32 trust
host all clear 127.0.0.1/32 password
host all md5 127.0.0.1/32 md5
host all scram 127.0.0.1/32 scram-sha-256
hostssl all with_certificate 127.0.0.1/32 cert
host all either 127.0.0.1/32 trust
";

pub(super) struct Judge {
    pub(super) server: TestServer,
    home: TempDir,
    log_read: u64,
}

/// What came of an attempt: `-` refused, `p` in clear, `t` encrypted, `elsewhere` with another server.
pub(super) struct Told {
    pub(super) letter: &'static str,
    /// psql's: the port of the server.
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The path of one of the tests' certificates.
pub(super) fn certificate(name: &str) -> String {
    path(&format!("{name}.pem")).to_str().expect("the path is UTF-8").to_owned()
}

impl Judge {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let server = TestServer::start(Some(port));
        for role in ["tls_only", "plain_only", "either", "with_certificate"] {
            server.execute(format!("CREATE ROLE {role} LOGIN SUPERUSER"));
        }
        for (role, encryption) in [("clear", "scram-sha-256"), ("scram", "scram-sha-256"), ("md5", "md5")] {
            server.execute(format!(
                "SET password_encryption = '{encryption}'; CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'"
            ));
        }
        let read = |name: &str| fs::read_to_string(path(name)).expect("it is there");
        server.write("server.crt", &read("right.pem"));
        server.write("server.key", &read("server.key"));
        server.write("clients.crt", &read("ca.pem"));
        server.write("pg_hba.conf", RULES);
        for setting in
            ["ssl = on", "ssl_ca_file = 'clients.crt'", "log_connections = on", "lc_messages = 'C'"]
        {
            server.execute(format!("ALTER SYSTEM SET {setting}"));
        }
        server.tell("restart fast");
        let home = tempfile::tempdir().expect("the temporary folder is writable");
        Self { server, home, log_read: 0 }
    }

    /// Has the server show another certificate.
    pub(super) fn show(&self, name: &str) {
        self.server.write("server.crt", &fs::read_to_string(certificate(name)).expect("it is there"));
        self.server.tell("restart fast");
    }

    pub(super) fn settings(&self, rest: &str) -> String {
        format!("host=db.test hostaddr=127.0.0.1 port={} dbname=postgres {rest}", self.server.port)
    }

    /// Copies a file to where libpq looks for it by itself.
    pub(super) fn put_into_home(&self, name: &str, from: &str, mode: u32) -> String {
        let to = self.home.path().join(name);
        fs::create_dir_all(to.parent().expect("it is in a folder")).expect("the folder is writable");
        fs::copy(from, &to).expect("the folder is writable");
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).expect("the file is ours");
        to.to_str().expect("the path is UTF-8").to_owned()
    }

    pub(super) fn psql(&mut self, settings: &str) -> Told {
        self.psql_with(settings, &[])
    }

    pub(super) fn psql_with(&mut self, settings: &str, variables: &[(&str, &str)]) -> Told {
        let mut command = Command::new(find_psql());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command.args(["-X", "-w", "-A", "-t", "-c", "SHOW port", "-d", settings]);
        self.observe(command, variables, run_psql)
    }

    pub(super) fn ours(&mut self, settings: &str) -> Told {
        self.ours_with(settings, &[])
    }

    pub(super) fn ours_with(&mut self, settings: &str, variables: &[(&str, &str)]) -> Told {
        let mut command = binary();
        command.args(["runs", "list"]).env("DATABASE_URL", settings).env("PROFILE_LOADER_DB_WAIT", "0");
        let told = self.observe(command, variables, run);
        assert!(!told.stderr.contains(PASSWORD), "{}", told.stderr);
        told
    }

    fn observe(
        &mut self,
        mut command: Command,
        variables: &[(&str, &str)],
        run: impl FnOnce(&mut Command) -> Output,
    ) -> Told {
        self.new_log();
        command.env("HOME", self.home.path()).envs(variables.iter().copied()).stdin(Stdio::null());
        let output = run(&mut command);
        let log = self.new_log();
        let letter = match (output.code, last_session(&log)) {
            (Some(0), Some(session)) => {
                if session.is_encrypted {
                    "t"
                } else {
                    "p"
                }
            }
            (Some(0), None) => "elsewhere",
            _ => "-",
        };
        Told { letter, stdout: output.stdout, stderr: output.stderr }
    }

    /// What the server's log has got since this was asked last.
    pub(super) fn new_log(&mut self) -> String {
        let mut file = fs::File::open(self.server.dir.join("server.log")).expect("the server has a log");
        file.seek(SeekFrom::Start(self.log_read)).expect("the log is a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the log is readable");
        self.log_read += bytes.len() as u64;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
