//! What the system gives the program: too few descriptors or threads, files that may not grow, standard streams that
//! are closed. Each is told as what it is, and none is a bug or an empty input.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    documents::{faulty, mixed, valid},
    folder::{self, Folder},
    process::{Output, run},
};

/// The same command as a shell starts it after these words of its own; `redirect` is part of the command.
fn by_shell(command: &Command, before: &str, redirect: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{before} && exec \"$0\" \"$@\" {redirect}"));
    shell.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell
}

fn assert_told(output: &Output, code: i32, words: &str) {
    assert_eq!(output.code, Some(code), "{}{}", output.stderr, output.stdout);
    assert!(output.stderr.contains(words), "no '{words}': {}", output.stderr);
    assert!(!output.stderr.contains("bug"), "{}", output.stderr);
}

#[test]
fn too_few_descriptors() {
    let folder = Folder::with("customers.ndjson", valid(3));
    for words in [
        "validate customers.ndjson",
        "load customers.ndjson --database-url postgresql://app@127.0.0.1:1/app",
        "migrate status --database-url postgresql://app@127.0.0.1:1/app",
        "runs list --database-url postgresql://app@127.0.0.1:1/app",
    ] {
        for limit in [8, 12, 20] {
            let command = by_shell(&folder.command(words), &format!("ulimit -n {limit}"), "");
            let output = run(&mut { command });
            assert_told(&output, 4, "too many open files");
            assert_told(&output, 4, "raise it (ulimit -n ");
        }
    }
    // A limit that the process may raise by itself is raised.
    let command = by_shell(&folder.command("validate customers.ndjson"), "ulimit -S -n 12", "");
    assert_eq!(run(&mut { command }).code, Some(0));
}

/// Of a user who may have no more processes; the superuser always may.
#[test]
fn too_few_threads() {
    let dir = tempfile::tempdir().expect("the temporary folder is writable");
    let program = dir.path().join("profile-loader");
    folder::copy_program(&program);
    for path in [dir.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let mut command = Command::new(program);
    command.args(["validate", "-"]).current_dir(Path::new("/"));
    let mut command = by_shell(&command, "{ ulimit -u 1 || ulimit -p 1; } 2>/dev/null", "");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    assert_told(&run(&mut command), 4, "threads can't be started");
}

#[test]
fn files_that_may_not_grow() {
    let folder = Folder::with("customers.ndjson", faulty(1).repeat(100));
    for (options, file) in [("--rejects rejects", "the reject file"), ("--report report.json", "the report")]
    {
        let words = format!("validate customers.ndjson {options}");
        let output = run(&mut by_shell(&folder.command(&words), "ulimit -f 0", ""));
        assert_told(&output, 4, file);
        assert_told(&output, 4, "raise the limit (ulimit -f) and run the same command again");
        let again = folder.run(&words);
        assert_eq!(again.code, Some(1), "{}", again.stderr);
    }
}

#[test]
fn standard_input_that_is_closed_is_no_empty_input() {
    let folder = Folder::with("customers.ndjson", valid(3));
    for redirect in ["<&-", "0<>/dev/null", "0>/dev/null", "0>out"] {
        for words in ["validate -", "load - --database-url postgresql://app@127.0.0.1:1/app"] {
            let output = run(&mut by_shell(&folder.command(words), "true", redirect));
            assert_told(&output, 2, "standard input can't be read: ");
        }
        // Whoever reads files does not care.
        let output = run(&mut by_shell(&folder.command("validate customers.ndjson"), "true", redirect));
        assert_eq!(output.code, Some(0), "{redirect}: {}", output.stderr);
    }
    // Nothing, and meant so.
    assert_eq!(run(&mut by_shell(&folder.command("validate -"), "true", "</dev/null")).code, Some(0));
}

/// Nobody listens, and nothing that is written to it gets into a file.
#[test]
fn standard_output_and_error_that_are_closed() {
    let folder = Folder::with("customers.ndjson", mixed(5, 4));
    let words = "validate customers.ndjson --rejects rejects --report report.json";
    let open = folder.run(words);
    let files = || ["rejects/rejects.ndjson", "rejects/rejects.errors.ndjson"].map(|name| folder.read(name));
    let expected = files();
    for redirect in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let output = run(&mut by_shell(&folder.command(words), "true", redirect));
        assert_eq!(output.code, open.code, "{redirect}: {}", output.stderr);
        assert_eq!(files(), expected, "{redirect}");
        assert_eq!(folder.read_report("report.json")["exit_code"], 1, "{redirect}");
    }
}
