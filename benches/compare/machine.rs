//! Where and with what the figures were got: a figure without them cannot be compared with another.

use std::{env, fs, path::Path, process::Command, thread, time::SystemTime};

use crate::{
    failure::Outcome,
    process::answer,
    server::{SETTINGS, Server},
};

pub(crate) fn print_header(server: &Server, loader: &Path) -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!(
        "{}",
        ["cargo bench --bench compare --", &arguments.join(" ")].join(" ").trim_end_matches(" -- ")
    );
    println!("  date        {}", humantime::format_rfc3339_seconds(SystemTime::now()));
    println!("  machine     {}", machine());
    println!("  loader      {}", loader_version(loader));
    println!("  server      PostgreSQL {}", server.ask("postgres", "SHOW server_version")?);
    let settings = SETTINGS.map(|(name, value)| format!("{name} = {value}")).join(", ");
    println!("  settings    {settings}; fsync, synchronous_commit and full_page_writes on");
    Ok(())
}

fn machine() -> String {
    let model = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| env::consts::ARCH.to_owned());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = line_of("/proc/meminfo", "MemTotal").and_then(|words| {
        let kib: u64 = words.trim_end_matches("kB").trim().parse().ok()?;
        Some(format!(", {} GiB of memory", kib >> 20))
    });
    let system = answer(Command::new("uname").args(["-s", "-r"])).unwrap_or_default();
    format!("{cores} cores of {model}{}, {system}", memory.unwrap_or_default())
}

/// Behind the colon of the first line that starts with `name`.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'))?;
    Some(line.1.trim().to_owned())
}

fn loader_version(loader: &Path) -> String {
    let version = answer(Command::new(loader).arg("--version")).unwrap_or_default();
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let commit = answer(&mut git).map(|commit| format!(", commit {commit}"));
    format!("{version}{}", commit.unwrap_or_default())
}
