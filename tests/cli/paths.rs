//! Names of inputs that are no text, that hide, or that stand where nobody may look.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Stdio},
};

use crate::{
    documents::valid,
    folder::{Folder, copy_program},
    process::run,
};

/// A user who owns nothing.
const NOBODY: u32 = 65534;

/// A name that is not UTF-8 is an input like any other, whether a pattern finds it or the shell writes it out.
#[test]
fn names_that_are_not_utf_8() {
    let folder = Folder::new();
    folder.write("a.ndjson", valid(1));
    let odd = OsStr::from_bytes(b"b\xff.ndjson");
    fs::write(folder.path("").join(odd), valid(2)).expect("any byte may be in a name");
    for input in [OsStr::new("*.ndjson"), odd] {
        let output = run(folder.command("validate --output json").arg(input));
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stdout.contains(r"b\\xff.ndjson"), "{}", output.stdout);
    }
}

/// Nor does a page show any of a report that somebody has edited, or grow with it.
#[test]
fn a_page_of_an_edited_report_is_plain_and_short() {
    let folder = Folder::with("a.ndjson", "oops\n");
    folder.run("validate a.ndjson --report r.json");
    let output = folder.run("validate a.ndjson --max-rejects 9 --baseline r.json --report r.json");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let edited = folder.read_json("r.json");
    for place in [
        "/tool/name",
        "/tool/version",
        "/command",
        "/started_at",
        "/settings/max-rejects",
        "/baseline/started_at",
        "/schema/source",
        "/inputs/0/source",
        "/errors/0/message",
    ] {
        let mut edited = edited.clone();
        *edited.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = "a\0\u{202e}".into();
        folder.write("edited.json", edited.to_string());
        let output = folder.run("report edited.json --html page.html");
        assert_eq!(output.code, Some(0), "{place}: {}", output.stderr);
        let page = String::from_utf8(folder.read("page.html")).expect("a page is UTF-8");
        assert!(!page.contains(['\0', '\u{202e}']) && page.contains(r"a\u{0}\u{202e}"), "{place}");
    }

    let mut edited = edited;
    for part in ["texts", "lists", "choices"] {
        let fields = edited["fields"][part].as_array_mut().expect("a list");
        *fields = fields.iter().cycle().take(3000).cloned().collect();
    }
    folder.write("edited.json", edited.to_string());
    let output = folder.run("report edited.json --html page.html");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(folder.read("page.html").len() < 500_000);
}

/// What is written to be read shows no character that nobody sees or that a terminal obeys, and is the same everywhere; what
/// programs read has the name.
#[test]
fn names_that_change_how_others_are_read() {
    const NAME: &str = "a\u{202e}b\u{200b}.ndjson";
    const SHOWN: &str = r"a\u{202e}b\u{200b}.ndjson";
    let is_plain = |text: &str| !text.contains(['\u{202e}', '\u{200b}', '\u{1b}']);
    let folder = Folder::new();
    folder.write(NAME, "oops\n");
    let page = "p\u{202e}.html";
    let output = folder.run(&format!("validate {NAME} --rejects r\u{202e} --report {page} --report r.json"));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(is_plain(&output.stdout) && is_plain(&output.stderr), "{}{}", output.stdout, output.stderr);
    assert_eq!(output.stdout.matches(SHOWN).count(), 2, "{}", output.stdout);
    assert!(output.stdout.contains(r"r\u{202e}/"), "{}", output.stdout);
    let page = String::from_utf8(folder.read(page)).expect("a page is UTF-8");
    assert!(is_plain(&page) && page.contains(SHOWN));
    assert_eq!(folder.read_json("r.json")["inputs"][0]["source"], NAME);
    let drawn = folder.run("report r.json");
    assert!(is_plain(&drawn.stdout) && drawn.stdout.contains(SHOWN), "{}", drawn.stdout);

    folder.write("x\u{202e}.json", "{}");
    for words in [
        "validate no\u{202e}.ndjson",
        "validate no\u{202e}.ndjson --log-format json",
        "validate no\u{202e}*",
        "validate .\u{202e} --rejects x",
        "validate - --report no\u{202e}/r.json",
        "validate - --report r\u{202e}.pdf",
        "validate - --jobs 1\u{202e}",
        "validate - --json-schema no\u{202e}.json",
        "validate - --baseline x\u{202e}.json",
        "validate - --no\u{202e}",
        "report x\u{202e}.json",
        "load - --embedded=/dev/null/no\u{202e}",
        "\u{202e}",
    ] {
        let output = folder.run(words);
        assert!(output.code != Some(0) && is_plain(&output.stderr), "{words}: {}", output.stderr);
        assert!(
            output.stderr.contains(r"\u{202e}") || output.stderr.contains(r"\\u{202e}"),
            "{}",
            output.stderr
        );
    }
}

/// As where a variable of a shell is not set.
#[test]
fn an_input_with_an_empty_name_is_told() {
    let folder = Folder::with("a.ndjson", valid(1));
    for words in ["validate", "validate a.ndjson", "load --embedded=data"] {
        let output = run(folder.command(words).arg(""));
        assert_eq!(output.code, Some(2), "{words}: {}", output.stderr);
        assert!(output.stderr.contains("the path of an input is empty"), "{words}: {}", output.stderr);
    }
}

/// A leading dot has to be written out, as in every shell.
#[test]
fn hidden_files_are_left_out() {
    let folder = Folder::new();
    folder.write("a.ndjson", valid(1));
    folder.write("._a.ndjson", "binary");
    let output = folder.run("validate *.ndjson");
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(folder.run("validate ._*.ndjson").code, Some(1));
}

/// A folder that can't be entered may hold files that would be missing.
#[test]
fn folders_that_cannot_be_entered() {
    let folder = Folder::new();
    folder.write("x/one/a.ndjson", valid(1));
    folder.write("x/two/a.ndjson", valid(2));
    let mode = |name: &str, mode| {
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    // Root may enter any; somebody else needs a program that is within reach.
    copy_program(&folder.path("program"));
    mode("", 0o755);
    mode("x/two", 0o000);
    for pattern in ["x/*/a.ndjson", "x/*/*.ndjson", "x/**/*.ndjson"] {
        let mut command = Command::new(folder.path("program"));
        command.args(["validate", pattern]).current_dir(folder.path("")).stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = run(&mut command);
        assert_eq!(output.code, Some(2), "{}{}", output.stdout, output.stderr);
        assert!(output.stderr.contains("x/two"), "{}", output.stderr);
    }
    mode("x/two", 0o755);
}
