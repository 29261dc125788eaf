//! What a shell or a service manager starts the program with: limits, and standard streams that are closed.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::process::{binary, run};

const DOCUMENT: &str = r#"{"id":"5f0c2d1e-6c1e-4d5b-9a37-0b8f2f0a8b64","firstName":"A","lastName":"B","emails":["a@example.com"],"privacySettings":{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}"#;

const LOAD: &str = "load in.ndjson --database-url postgresql://app@127.0.0.1:1/app";

struct Case {
    /// Address of the report.
    source: &'static str,
    /// Words of the shell before the command, and after it.
    shell: [&'static str; 2],
    arguments: &'static str,
    code: i32,
    /// Of standard error.
    says: &'static [&'static str],
}

const CASES: [Case; 9] = [
    Case {
        source: "https://github.com/tokio-rs/tokio/issues/2309",
        shell: ["ulimit -n 8", ""],
        arguments: "validate in.ndjson",
        code: 4,
        says: &["too many open files", "ulimit -n"],
    },
    Case {
        source: "https://github.com/tokio-rs/tokio/issues/2309",
        shell: ["ulimit -n 8", ""],
        arguments: LOAD,
        code: 4,
        says: &["too many open files", "ulimit -n"],
    },
    Case {
        source: "https://github.com/mozilla/sccache/issues/1972",
        shell: ["ulimit -S -n 8", ""],
        arguments: "validate in.ndjson",
        code: 0,
        says: &[],
    },
    Case {
        source: "own: a limit on the size of files",
        shell: ["ulimit -f 0", ""],
        arguments: "validate in.ndjson --report report.json",
        code: 4,
        says: &["the report report.json can't be written", "ulimit -f"],
    },
    Case {
        source: "own: standard input that is closed",
        shell: ["true", "<&-"],
        arguments: "validate -",
        code: 2,
        says: &["standard input can't be read: it is closed"],
    },
    Case {
        source: "own: standard input of a container that was started without -i",
        shell: ["true", "0<>/dev/null"],
        arguments: "validate -",
        code: 2,
        says: &["nothing is connected to it", "-i"],
    },
    Case {
        source: "own: standard input that is a file for writing",
        shell: ["true", "0>out"],
        arguments: "validate -",
        code: 2,
        says: &["standard input can't be read: it is open for writing only"],
    },
    Case {
        source: "own: no input, and meant so",
        shell: ["true", "</dev/null"],
        arguments: "validate -",
        code: 0,
        says: &[],
    },
    Case {
        source: "own: nobody listens",
        shell: ["true", "<&- >&- 2>&-"],
        arguments: "validate in.ndjson",
        code: 0,
        says: &[],
    },
];

#[test]
fn processes_are_started_in_odd_ways() {
    for case in &CASES {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        fs::write(folder.path().join("in.ndjson"), format!("{DOCUMENT}\n")).expect("it is writable");
        let program = binary();
        let mut shell = Command::new("sh");
        let [before, after] = case.shell;
        shell.arg("-c").arg(format!("{before} && exec \"$0\" \"$@\" {after}")).arg(program.get_program());
        for (name, _) in program.get_envs() {
            shell.env_remove(name);
        }
        shell.args(case.arguments.split(' ')).current_dir(folder.path()).stdin(Stdio::null());
        let output = run(&mut shell);
        let Case { source, arguments, .. } = case;
        let told = format!("{source}: {before} {arguments} {after}: {}{}", output.stderr, output.stdout);
        assert_eq!(output.code, Some(case.code), "{told}");
        for words in case.says {
            assert!(output.stderr.contains(words), "{source}: no '{words}': {}", output.stderr);
        }
    }
}
