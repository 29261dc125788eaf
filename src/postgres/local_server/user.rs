//! Whom the server runs as: ourselves, or, because PostgreSQL refuses root, somebody with fewer rights.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};

use super::{binaries, error::LocalServerError};
use crate::path_text::path_text;

/// The server's user.
#[derive(Debug, Clone)]
pub(super) struct ServerUser {
    pub(super) name: String,
    /// Numbers of user and group when we are root and step down; none when the server runs as ourselves.
    pub(super) ids: Option<(u32, u32)>,
}

impl ServerUser {
    /// For root: the owner of `dir`, else the first of `postgres`, sudo's caller and `nobody` who can reach it.
    pub(super) fn choose(dir: &Path) -> Result<Self, LocalServerError> {
        if !rustix::process::geteuid().is_root() {
            let name = answer_of_id(&["-un"]).unwrap_or_else(|| "the caller".to_owned());
            return Ok(Self { name, ids: None });
        }
        if let Some(owner) = owner(dir) {
            return Ok(owner);
        }
        let caller = env::var("SUDO_UID").ok().filter(|uid| uid != "0");
        let users = ["postgres".to_owned()].into_iter().chain(caller).chain(["nobody".to_owned()]);
        let users: Vec<Self> = users.filter_map(|user| Self::look_up(&user)).collect();
        let parent = nearest_existing(dir);
        match users.iter().find(|user| user.can_enter(&parent)) {
            Some(user) => Ok(user.clone()),
            None => Err(LocalServerError::Unreachable {
                dir: path_text(dir),
                user: users.first().map_or_else(|| "postgres".to_owned(), |user| user.name.clone()),
            }),
        }
    }

    /// A command that runs as this user, with no groups of root's, in a folder that everybody may enter, and
    /// without the variables that would turn PostgreSQL's programs to another server.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        // On macOS the server needs a locale that exists; what it stores has the locale of initdb.
        command.env("LC_ALL", "C");
        if let Some((uid, gid)) = self.ids {
            // Rust's standard library clears the supplementary groups when root sets a user.
            command.uid(uid).gid(gid);
        }
        command
    }

    /// What a shell command needs in front to run as this user.
    pub(super) fn command_prefix(&self) -> String {
        let name = quote(Path::new(&self.name));
        match self.ids {
            None => String::new(),
            Some(_) if binaries::on_path("sudo") => format!("sudo -u {name} "),
            Some(_) => format!("runuser -u {name} -- "),
        }
    }

    /// Only the server's user and root may enter the socket's folder.
    pub(super) fn psql_prefix(&self) -> &'static str {
        if self.ids.is_some() && env::var_os("SUDO_UID").is_some() { "sudo " } else { "" }
    }

    fn look_up(user: &str) -> Option<Self> {
        let number = |option| answer_of_id(&[option, user])?.parse::<u32>().ok();
        let (uid, gid) = (number("-u")?, number("-g")?);
        Some(Self { name: answer_of_id(&["-un", user])?, ids: Some((uid, gid)) })
    }

    fn can_enter(&self, dir: &Path) -> bool {
        let mut command = self.command("sh");
        command.args(["-c", r#"cd -- "$1""#, "sh"]).arg(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The owner of a folder that exists and is not root's.
fn owner(dir: &Path) -> Option<ServerUser> {
    let metadata = fs::metadata(dir).ok().filter(|metadata| metadata.uid() != 0)?;
    let uid = metadata.uid();
    // A number without a name is what the numbers of another machine or container look like.
    let unnamed = || ServerUser { name: format!("#{uid}"), ids: Some((uid, metadata.gid())) };
    Some(ServerUser::look_up(&uid.to_string()).unwrap_or_else(unnamed))
}

fn nearest_existing(dir: &Path) -> PathBuf {
    let dir = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// `id` asks all the places where users can be kept, unlike /etc/passwd.
fn answer_of_id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim_end().to_owned())
}

/// A path as one word of a POSIX shell.
pub(super) fn quote(path: &Path) -> String {
    let path = path.display().to_string();
    if path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:".contains(&byte)) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
