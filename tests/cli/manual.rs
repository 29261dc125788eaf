//! Manual pages and completions.

use std::process::Command;

use crate::{folder::Folder, process::run};

const COMMANDS: [&str; 11] = [
    "validate",
    "load",
    "map",
    "plan",
    "scatter",
    "migrate",
    "runs",
    "report",
    "schema",
    "completions",
    "man",
];

#[test]
fn each_command_has_a_page() {
    let folder = Folder::with("pages/README", "");
    let output = folder.run("man --dir pages");
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(0), "", ""));
    let names = folder.names("pages");
    for command in COMMANDS {
        assert!(names.contains(&format!("profile-loader-{command}.1")), "{command}: {names:?}");
    }
    assert!(names.contains(&"profile-loader.1".to_owned()), "{names:?}");
    assert!(names.contains(&"profile-loader-runs-list.1".to_owned()), "{names:?}");

    let page = String::from_utf8(folder.read("pages/profile-loader-load.1")).expect("a page is UTF-8");
    assert_eq!(folder.run("man load").stdout, page, "the same is printed");
    for part in [".TH profile", ".SH NAME", ".SH SYNOPSIS", "PROFILE_LOADER_ON_EXISTING", ".SH EXIT STATUS"] {
        assert!(page.replace('"', "").contains(part), "{part}: {page}");
    }
    for name in names.iter().filter(|name| name.ends_with(".1")) {
        lint(&folder.path(&format!("pages/{name}")));
    }
}

/// What formatters say about a page, where they are on this machine: nothing.
fn lint(page: &std::path::Path) {
    // Its last warning speaks of a date, of which a page made from the program has none.
    for words in ["groff -man -Tutf8 -ww -z", "mandoc -T lint -W error"] {
        let mut words = words.split(' ');
        let program = words.next().expect("the name of a program");
        let Ok(output) = Command::new(program).args(words).arg(page).output() else { continue };
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "", "{program} {}", page.display());
        assert!(output.status.success(), "{program} {}", page.display());
    }
}

#[test]
fn pages_that_are_not_there_are_refused() {
    let folder = Folder::new();
    for (words, expected) in [
        ("man lode", "there is no such command; there are validate, load, "),
        ("man load further", "load has no further commands"),
        ("man --dir missing", "the manual page missing/profile-loader.1 can't be written: "),
    ] {
        let output = folder.run(words);
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{words}: {}", output.stderr);
        assert_eq!(output.code, Some(2), "{words}");
    }
}

#[test]
fn shells_complete_our_words() {
    let folder = Folder::new();
    for (shell, part) in [
        ("bash", "--on-existing"),
        ("zsh", "#compdef profile-loader"),
        ("fish", "complete -c profile-loader"),
        ("elvish", "--on-existing"),
        ("powershell", "--on-existing"),
    ] {
        let output = folder.run(&format!("completions {shell}"));
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(output.stdout.contains(part), "{shell}");
        folder.write(shell, output.stdout);
    }
    let script = "source ./bash
        COMP_WORDS=(profile-loader runs sh) COMP_CWORD=2
        _profile__loader profile-loader sh runs
        echo \"${COMPREPLY[*]}\"
        COMP_WORDS=(profile-loader load --on-existing '') COMP_CWORD=3
        _profile__loader profile-loader '' --on-existing
        echo \"${COMPREPLY[*]}\"";
    let completed = run(Command::new("bash").args(["-c", script]).current_dir(folder.path(".")));
    assert_eq!((completed.stdout.as_str(), completed.stderr.as_str()), ("show\nreject skip update\n", ""));
}
