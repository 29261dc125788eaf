//! The thin binary: words in, exit code out.

use std::{
    panic::{self, PanicHookInfo},
    process::ExitCode,
};

use profile_loader::{
    exit,
    internals::{Cli, Console, is_mapping},
};
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    forbid_core_dumps();
    let cli = match Cli::parse_from_environment() {
        Ok(cli) => cli,
        Err(refused) => return ExitCode::from(refused.tell()),
    };
    let console = cli.console();
    panic::set_hook(Box::new(move |panic| {
        if !is_mapping() {
            tell_bug(console, panic);
        }
    }));
    match panic::catch_unwind(|| cli.run()) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            console.failure(&failure.to_string(), failure.exit_code);
            ExitCode::from(failure.exit_code)
        }
        Err(_) => ExitCode::from(exit::BUG),
    }
}

/// What is in memory are customers' documents and perhaps a password, and a core dump would put it on a disk. The limit counts
/// for programs that we start, too; where the system hands dumps to a program, only the other one counts.
fn forbid_core_dumps() {
    // Lowering a limit is never refused.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Where, but not what: the words of a panic may quote a document.
fn tell_bug(console: Console, panic: &PanicHookInfo<'_>) {
    let place =
        panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let version = env!("CARGO_PKG_VERSION");
    let message = format!("profile-loader {version} has met a bug{place}; please report this line");
    console.failure(&message, exit::BUG);
}
