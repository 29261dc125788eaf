//! Runs the programs that are compared, each in a process of its own, and measures them from outside.
//!
//! The time is from before the start to after the end, as a user would wait. The peak memory is what the kernel
//! has counted for the process when it ended: GNU time reports that, and adds a millisecond. Without GNU time
//! there is no peak; watching the process would miss what it does last.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
    time::Instant,
};

use crate::failure::{Failure, Outcome};

/// One process, or several that have run at the same time or one after another.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) seconds: f64,
    pub(crate) peak_kib: Option<u64>,
    /// Of all of its threads, its own and the system's for it.
    pub(crate) processor_seconds: Option<f64>,
    pub(crate) stdout: String,
}

impl Finished {
    /// Both, one after another.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            peak_kib: self.peak_kib.zip(next.peak_kib).map(|(one, other)| one.max(other)),
            processor_seconds: self.processor_seconds.zip(next.processor_seconds).map(|(a, b)| a + b),
            stdout: [self.stdout, next.stdout].concat(),
        }
    }
}

/// A command in the folder `home`, without the variables that turn the loader or psql to another server.
pub(crate) fn command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home);
    for (name, _) in env::vars_os() {
        let misleads = name.to_str().is_some_and(|name| {
            ["PG", "DATABASE_", "PROFILE_LOADER_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if misleads {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, which has to be one of these exit codes.
pub(crate) fn measure(command: &Command, exit_codes: &[i32]) -> Outcome<Finished> {
    let begin = Instant::now();
    let running = Running::start(command)?;
    running.finish(begin, exit_codes)
}

/// Runs commands at the same time; each has to end with exit code 0. The peaks are added up.
pub(crate) fn measure_together(commands: &[Command]) -> Outcome<Finished> {
    let begin = Instant::now();
    let running: Vec<Running> = commands.iter().map(Running::start).collect::<Outcome<_>>()?;
    let mut all =
        Finished { seconds: 0.0, peak_kib: Some(0), processor_seconds: Some(0.0), stdout: String::new() };
    for process in running {
        let finished = process.finish(begin, &[0])?;
        all.seconds = all.seconds.max(finished.seconds);
        all.peak_kib = all.peak_kib.zip(finished.peak_kib).map(|(sum, peak)| sum + peak);
        all.processor_seconds =
            all.processor_seconds.zip(finished.processor_seconds).map(|(sum, seconds)| sum + seconds);
    }
    Ok(all)
}

/// What a command answers; none where it isn't there or doesn't end well.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

#[derive(Debug)]
struct Running {
    what: String,
    child: Child,
    /// Where GNU time writes peak and processor time; removed with this value.
    costs: Option<tempfile::TempPath>,
}

impl Running {
    fn start(command: &Command) -> Outcome<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        let costs = if *HAS_GNU_TIME { Some(costs_file()?) } else { None };
        let mut command = costs.as_ref().map_or_else(|| repeat(command), |costs| under_time(command, costs));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(Failure::of(format!("starting {what}")))?;
        Ok(Self { what, child, costs })
    }

    fn finish(self, begin: Instant, exit_codes: &[i32]) -> Outcome<Finished> {
        let output = self.child.wait_with_output();
        let seconds = begin.elapsed().as_secs_f64();
        let Output { status, stdout, stderr } =
            output.map_err(Failure::of(format!("waiting for {}", self.what)))?;
        if !status.code().is_some_and(|code| exit_codes.contains(&code)) {
            let words = String::from_utf8_lossy(&stderr);
            return Err(Failure::new(format!("{} ended with {status}: {}", self.what, words.trim_end())));
        }
        let (peak_kib, processor_seconds) = match &self.costs {
            None => (None, None),
            Some(file) => read_costs(file)?,
        };
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        Ok(Finished { seconds, peak_kib, processor_seconds, stdout })
    }
}

static HAS_GNU_TIME: LazyLock<bool> = LazyLock::new(|| {
    let version = answer(Command::new("time").arg("--version")).unwrap_or_default();
    version.to_lowercase().contains("gnu")
});

fn costs_file() -> Outcome<tempfile::TempPath> {
    let file = tempfile::NamedTempFile::new();
    Ok(file.map_err(Failure::of("making a file for the peak memory"))?.into_temp_path())
}

/// Peak in KiB, and processor time in seconds.
fn read_costs(file: &Path) -> Outcome<(Option<u64>, Option<f64>)> {
    let text = fs::read_to_string(file).map_err(Failure::of("reading the peak memory"))?;
    let words: Vec<_> = text.split_whitespace().collect();
    let [peak, user, system] = words[..] else {
        return Err(Failure::new(format!("GNU time's words {text:?} are not understood")));
    };
    let seconds = user.parse::<f64>().ok().zip(system.parse::<f64>().ok());
    Ok((peak.parse().ok(), seconds.map(|(user, system)| user + system)))
}

/// The same command under GNU time, which passes its exit code on.
fn under_time(command: &Command, costs: &Path) -> Command {
    let mut timed = Command::new("time");
    timed.args(["--quiet", "--format=%M %U %S", "--output"]).arg(costs);
    timed.arg(command.get_program());
    like(timed, command)
}

fn repeat(command: &Command) -> Command {
    like(Command::new(command.get_program()), command)
}

/// With the arguments, the folder and the variables of `command`.
fn like(mut new: Command, command: &Command) -> Command {
    new.args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        new.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => new.env(name, value),
            None => new.env_remove(name),
        };
    }
    new
}
