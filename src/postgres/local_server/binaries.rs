//! Finds PostgreSQL's server binaries, which most systems keep off the path.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{LocalServerError, io_error};
use crate::path_text::path_text;

/// Where Debian, Red Hat (PGDG), Homebrew and Postgres.app put them; the newest version is tried first.
const PLACES: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// What `initdb` writes into PG_VERSION, so `15`, and `9.6` for the old ones.
type MajorVersion = String;

/// One folder with `initdb`, `pg_ctl` and `postgres` of one version.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
}

impl Binaries {
    /// The binaries for the server in `dir`: of the version of its data, or the first found for new data.
    pub(super) fn find(dir: &Path, data: Option<&str>) -> Result<Self, LocalServerError> {
        let dirs = candidates();
        let Some(first) = dirs.first() else {
            return Err(LocalServerError::NoBinaries { install: install_advice() });
        };
        let Some(data) = data else { return Ok(Self { dir: first.clone() }) };
        for dir in &dirs {
            if version(dir)? == data {
                return Ok(Self { dir: dir.clone() });
            }
        }
        Err(LocalServerError::Version {
            dir: path_text(dir),
            data: data.to_owned(),
            bin: path_text(first),
            binaries: version(first)?,
        })
    }
}

/// Whether a shell finds the program by its name.
pub(super) fn on_path(program: &str) -> bool {
    path_dirs().iter().any(|dir| dir.join(program).is_file())
}

fn path_dirs() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Complete folders only, best first, without symbolic links: PostgreSQL finds its other files from there.
fn candidates() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    let programs =
        path_dirs().into_iter().chain(pg_config()).chain(PLACES.iter().flat_map(|place| newest(place)));
    for pg_ctl in programs.filter_map(|dir| fs::canonicalize(dir.join("pg_ctl")).ok()) {
        let Some(dir) = pg_ctl.parent() else { continue };
        let complete = ["initdb", "postgres"].iter().all(|program| dir.join(program).is_file());
        if complete && !dirs.iter().any(|known| known == dir) {
            dirs.push(dir.to_owned());
        }
    }
    dirs
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| dir.trim_end().into())
}

fn newest(place: &str) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = glob::glob(place).into_iter().flatten().flatten().collect();
    dirs.sort_by_key(|dir| std::cmp::Reverse(number_in(dir)));
    dirs
}

/// The version in `/usr/lib/postgresql/15/bin`; 9.6 counts as 9.
fn number_in(dir: &Path) -> u32 {
    let path = dir.display().to_string();
    let digits = |word: &str| word.split('.').next().and_then(|major| major.parse().ok());
    path.split(['/', '-', '@']).rev().find_map(digits).unwrap_or(0)
}

fn version(dir: &Path) -> Result<MajorVersion, LocalServerError> {
    let postgres = dir.join("postgres");
    let output = Command::new(&postgres)
        .arg("--version")
        .output()
        .map_err(|source| io_error(format!("running {} --version", path_text(&postgres)), source))?;
    Ok(major(&String::from_utf8_lossy(&output.stdout)))
}

/// Of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`: `15`.
fn major(answer: &str) -> MajorVersion {
    let number = answer.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let mut parts = number.unwrap_or("unknown").split('.');
    let first = parts.next().unwrap_or_default();
    match (first, parts.next()) {
        ("9", Some(second)) => format!("9.{second}"),
        _ => first
            .split(|c: char| c.is_ascii_lowercase())
            .find(|part| !part.is_empty())
            .unwrap_or(first)
            .to_owned(),
    }
}

fn install_advice() -> String {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = if cfg!(target_os = "macos") {
        Some("brew install postgresql@17")
    } else {
        install_command(&os_release)
    };
    match command {
        Some(command) => format!("install them with '{command}'"),
        None => "install PostgreSQL's server, and put its binaries on the PATH".to_owned(),
    }
}

/// By the words of os-release(5): `ID` is the system, `ID_LIKE` what it descends from.
fn install_command(os_release: &str) -> Option<&'static str> {
    let words = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace());
    words.into_iter().find_map(|word| match word {
        "debian" | "ubuntu" => Some("apt-get install postgresql"),
        "fedora" | "rhel" | "centos" | "amzn" => Some("dnf install postgresql-server"),
        "suse" | "opensuse" => Some("zypper install postgresql-server"),
        "alpine" => Some("apk add postgresql"),
        "arch" => Some("pacman -S postgresql"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_what_initdb_writes() {
        let check = |answer: &str, expected: &str| assert_eq!(major(answer), expected);
        check("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", "15");
        check("postgres (PostgreSQL) 18beta1\n", "18");
        check("postgres (PostgreSQL) 9.6.24\n", "9.6");
        check("", "unknown");
    }

    #[test]
    fn places_are_ordered_by_version_and_not_by_letter() {
        let check = |dir: &str, expected: u32| assert_eq!(number_in(Path::new(dir)), expected);
        check("/usr/lib/postgresql/15/bin", 15);
        check("/usr/lib/postgresql/9.6/bin", 9);
        check("/usr/pgsql-17/bin", 17);
        check("/opt/homebrew/opt/postgresql@16/bin", 16);
        check("/Applications/Postgres.app/Contents/Versions/latest/bin", 0);
    }

    #[test]
    fn the_advice_fits_the_system() {
        let check = |os_release: &str, expected| assert_eq!(install_command(os_release), expected);
        check("NAME=\"Debian GNU/Linux\"\nID=debian\n", Some("apt-get install postgresql"));
        check("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some("apt-get install postgresql"));
        check("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Some("dnf install postgresql-server"));
        check("ID=alpine\nVERSION_ID=3.20\n", Some("apk add postgresql"));
        check("ID=plan9\n", None);
        check("", None);
    }
}
