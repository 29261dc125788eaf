//! Reject files: kept byte for byte, fixed, loaded again, never lost and never read by others.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, process::ChildStdin};

use profile_loader::internals::input::LINE_BYTES_MAX;

use crate::{
    documents::{faulty, valid},
    folder::Folder,
    full::make_full,
};

/// What is fixed is loaded from there, so nothing that only looks at it may put it elsewhere.
#[test]
fn fixed_rejects_stay_where_they_are() {
    let text = format!("{}{}{}{}", valid(1), faulty(2), valid(3), faulty(4));
    let folder = Folder::with("customers.ndjson", text);
    assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(1));
    let rejects = String::from_utf8(folder.read("rejects/rejects.ndjson")).expect("it is UTF-8");
    assert_eq!(rejects, faulty(2) + &faulty(4));

    // One of the two is fixed in place.
    folder.write("rejects/rejects.ndjson", valid(2) + &faulty(4));
    std::os::unix::fs::symlink("rejects/rejects.ndjson", folder.path("link")).expect("links can be made");
    for input in ["rejects/rejects.ndjson", "./rejects/../rejects/rejects.ndjson", "link"] {
        let output = folder.run(&format!("validate {input} --rejects rejects"));
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        let words =
            format!("error: what this command rejects would take the place of {input}, and it loads nothing");
        assert!(output.stderr.starts_with(&words), "{}", output.stderr);
    }
    assert_eq!(folder.read("rejects/rejects.ndjson"), (valid(2) + &faulty(4)).as_bytes());
    assert_eq!(folder.run("validate rejects/rejects.ndjson --rejects left").code, Some(1));
    assert_eq!(folder.read("left/rejects.ndjson"), faulty(4).as_bytes());

    // Those of something else are moved aside.
    assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(1));
    assert_eq!(folder.read("rejects/rejects.1.ndjson"), (valid(2) + &faulty(4)).as_bytes());
}

/// Pretty-printed, one of them no JSON at all.
#[test]
fn rejects_of_several_lines_are_read_again() {
    let pretty = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        serde_json::to_string_pretty(&value).expect("it is JSON")
    };
    let (wrong, broken) = (pretty(&faulty(2)), pretty(&valid(3)).replacen("Name\": ", "Name\" ", 1));
    let text = format!("[\n{},\n{wrong},\n{broken},\n12\n]\n", pretty(&valid(1)));
    let folder = Folder::with("a.json", &text);
    folder.write("b.ndjson", valid(4) + &faulty(5));
    for options in ["", "--chunk-bytes 1"] {
        let words = format!("validate b.ndjson a.json b.ndjson --rejects rejects {options}");
        assert_eq!(folder.run(&words).code, Some(1));
        let line = faulty(5);
        let rejects = String::from_utf8(folder.read("rejects/rejects.ndjson")).expect("it is UTF-8");
        assert_eq!(rejects, format!("\x1e\x1e\x1e{line}\x1e{wrong}\n\x1e{broken}\n\x1e12\n\x1e{line}"));
        let errors = String::from_utf8(folder.read("rejects/rejects.errors.ndjson")).expect("it is UTF-8");
        let mut places = Vec::new();
        for record in errors.lines() {
            let record: serde_json::Value = serde_json::from_str(record).expect("it is JSON");
            let number = |name: &str| record[name].as_u64().expect("a number");
            places.push((number("reject_line"), number("line"), number("byte_offset")));
        }
        let lines = |text: &str| text.matches('\n').count() as u64;
        let at = |part: &str| text.find(part).expect("it is in the text");
        let place = |at: usize| (lines(&text[..at]) + 1, at as u64);
        let in_rejects = |part: &str| lines(&rejects[..rejects.find(part).expect("it is there")]) + 1;
        let of = |part: &str, at: usize| (in_rejects(part), place(at).0, place(at).1);
        assert_eq!(
            places[1..4],
            [of(&wrong, at(&wrong)), of(&broken, at(&broken)), of("\x1e12", at("\n12") + 1)]
        );
        let colon = broken.find("Name\" ").expect("there is no colon") + "Name\" ".len() + 1;
        assert!(errors.contains(&format!("(byte {colon} of the document)")), "{errors}");
    }

    // As they are, they are the same rejects; fixed, they are accepted.
    let before = folder.read("rejects/rejects.ndjson");
    assert_eq!(folder.run("validate rejects/rejects.ndjson --rejects again").code, Some(1));
    assert_eq!(folder.read("again/rejects.ndjson"), before);
    let (fixed, sound) = (pretty(&valid(2)), pretty(&valid(3)));
    let text = String::from_utf8(before).expect("it is UTF-8");
    let text = text
        .replace(&wrong, &fixed)
        .replace(&broken, &sound)
        .replace("\x1e12\n", "")
        .replace(&format!("\x1e{}", faulty(5)), "");
    folder.write("rejects/rejects.ndjson", text);
    assert_eq!(folder.run("validate rejects/rejects.ndjson --rejects left").code, Some(0));
}

/// Where none has a line break, they are lines.
#[test]
fn rejects_of_one_line_are_ndjson_whatever_they_stood_in() {
    let text =
        format!("[{},{},\n{} , oops]", valid(1).trim_end(), faulty(2).trim_end(), faulty(3).trim_end());
    let folder = Folder::with("a.json", text);
    assert_eq!(folder.run("validate a.json --rejects rejects").code, Some(1));
    let rejects = folder.read("rejects/rejects.ndjson");
    assert_eq!(String::from_utf8(rejects).expect("it is UTF-8"), faulty(2) + &faulty(3) + "oops\n");
}

/// Whatever the first of them looks like, and whatever how they are told apart.
#[test]
fn what_was_rejected_comes_back_as_it_was() {
    let array = format!("[{}]", valid(2).trim_end());
    let marked = format!("\u{feff}{}", valid(2).trim_end());
    let separated = format!("\x1e{}", valid(2).trim_end());
    let pretty = "{\n  \"id\": 7\n}";
    let text = |text: &str| text.as_bytes().to_vec();
    let lines: &[(&str, &[Vec<u8>], bool)] = &[
        ("a byte order mark", &[text(&marked)], false),
        ("an array of documents", &[text(&array)], false),
        ("one among others", &[text(&array), text("{oops")], false),
        ("a separator", &[text(&separated), text("\x1e"), text("\x1e\x1e{}")], false),
        ("separators in lines", &[text("{\"a\":\"\x1e\"}"), text("{\x1e\x1e")], true),
        ("what gzip begins with", &[b"\x1f\x8b{}".to_vec()], false),
        ("a page", &[text("<html>"), text("</html>")], false),
        ("a form feed", &[text("\x1e\x0c"), text("\x0c{}\x0c")], false),
        ("nothing special", &[text("{oops"), text(&array), text(&marked), text(&separated)], true),
    ];
    for (what, rejected, are_lines) in lines {
        let folder = Folder::new();
        let joined: Vec<_> = rejected.iter().flat_map(|line| [&**line, b"\n"].concat()).collect();
        folder.write("in.ndjson", [valid(1).as_bytes(), &joined].concat());
        let kept = come_again(&folder, "in.ndjson", "", rejected);
        assert_eq!(kept == joined, *are_lines, "{what}");
        come_again(&folder, "in.ndjson", "--framing ndjson", rejected);
        // Beside a document with line breaks.
        folder.write("b.json", format!("[\n{pretty}\n]"));
        let both = [&[text(pretty)], *rejected].concat();
        come_again(&folder, "b.json in.ndjson", "", &both);
    }
    let folder = Folder::with("in.json", format!("[[{}], 5, [[]], {{}}]", valid(2).trim_end()));
    let rejected = [&array, "5", "[[]]", "{}"].map(text);
    come_again(&folder, "in.json", "", &rejected);
    come_again(&folder, "in.json", "--framing json", &rejected);
}

/// Validates inputs, and what they were rejected for once more; gives the reject file.
fn come_again(folder: &Folder, inputs: &str, options: &str, rejected: &[Vec<u8>]) -> Vec<u8> {
    let codes = |name: &str| -> Vec<String> {
        let errors = String::from_utf8(folder.read(name)).expect("it is UTF-8");
        let code = |line: &str| {
            line.split("\"code\":\"").nth(1).expect("a code").split('"').next().map(str::to_owned)
        };
        errors.lines().map(|line| code(line).expect("a code")).collect()
    };
    let output = folder.run(&format!("validate {inputs} --rejects rejects {options}"));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let kept = folder.read("rejects/rejects.ndjson");
    let documents: Vec<Vec<u8>> = match kept.strip_prefix(b"\x1e\x1e\x1e") {
        Some(records) => records_of(records),
        None => kept.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).take(rejected.len()).collect(),
    };
    assert_eq!(documents, rejected, "{inputs} {options}");
    let output = folder.run(&format!("validate rejects/rejects.ndjson --rejects again {options}"));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(folder.read("again/rejects.ndjson"), kept, "{inputs} {options}");
    assert_eq!(codes("again/rejects.errors.ndjson"), codes("rejects/rejects.errors.ndjson"));
    kept
}

/// Each ends where a separator begins a line.
fn records_of(mut text: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some(end) = text.windows(2).position(|bytes| bytes == b"\n\x1e") {
        records.push(text[..end].to_vec());
        text = &text[end + 2..];
    }
    records.push(text.strip_suffix(b"\n").expect("a line end").to_vec());
    records
}

#[test]
fn a_run_that_stops_early_leaves_the_earlier_files_alone() {
    let folder = Folder::with("customers.ndjson", faulty(1));
    folder.write("more.ndjson", faulty(2) + &faulty(3));
    folder.run("validate customers.ndjson --rejects rejects");
    assert_eq!(folder.run("validate more.ndjson --rejects rejects --max-rejects 1").code, Some(3));
    assert_eq!(folder.read("rejects/rejects.ndjson"), faulty(1).as_bytes());
    assert_eq!(folder.read("rejects/rejects.ndjson.partial"), (faulty(2) + &faulty(3)).as_bytes());
}

#[test]
fn the_same_rejects_make_no_second_file() {
    let folder = Folder::with("customers.ndjson", faulty(1));
    for _ in 0..3 {
        assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(1));
        assert_eq!(folder.names("rejects"), ["rejects.errors.ndjson", "rejects.ndjson"]);
    }
    // The same line at another place is another thing to say about it.
    folder.write("customers.ndjson", valid(2) + &faulty(1));
    assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(1));
    assert_eq!(folder.names("rejects").len(), 4);
}

/// Full at the first write, or only when all is written out at the end; `/dev/full` is a disk without room.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_with_4_and_the_next_run_writes_all() {
    for (documents, full) in [(1, "ndjson"), (1, "errors.ndjson"), (1000, "ndjson"), (1000, "errors.ndjson")]
    {
        let text: String = (0..documents).map(faulty).collect();
        let folder = Folder::with("customers.ndjson", &text);
        let full = folder.path(&format!("rejects/rejects.{full}.partial"));
        fs::create_dir(folder.path("rejects")).expect("the folder can be made");
        if !make_full(&full) {
            return;
        }
        let words = "validate customers.ndjson --rejects rejects --chunk-bytes 1000 --report report.json";
        let output = folder.run(words);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        let begin = "error: the reject file rejects/rejects.";
        let end = ".partial can't be written; free space under rejects and run the same command again: No space \
                   left on device (os error 28)\n";
        assert!(output.stderr.starts_with(begin) && output.stderr.ends_with(end), "{}", output.stderr);
        let report = folder.read_report("report.json");
        assert_eq!((&report["outcome"], &report["exit_code"]), (&"failed".into(), &4.into()));
        fs::remove_file(full).expect("it can go");
        assert_eq!(folder.run(words).code, Some(1));
        assert_eq!(folder.read("rejects/rejects.ndjson"), text.as_bytes());
    }
}

#[test]
fn nobody_else_may_read_them() {
    let folder = Folder::with("customers.ndjson", faulty(1));
    folder.run("validate customers.ndjson --rejects new/rejects");
    let mode =
        |name: &str| fs::metadata(folder.path(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/rejects")), (0o700, 0o700));
    for name in folder.names("new/rejects") {
        assert_eq!(mode(&format!("new/rejects/{name}")), 0o600, "{name}");
    }
}

#[test]
fn without_rejects_there_are_no_files() {
    let folder = Folder::with("customers.ndjson", valid(1));
    assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(0));
    assert!(folder.names("rejects").is_empty());
}

#[test]
fn a_line_at_the_limit_is_a_document_and_one_byte_more_is_not() {
    let line = |bytes: usize| {
        let document = valid(1);
        let (start, end) = document.trim_end().split_at(1);
        format!("{start}{}{end}\n", " ".repeat(bytes + 1 - document.len()))
    };
    let longest = line(LINE_BYTES_MAX);
    assert_eq!(longest.len(), LINE_BYTES_MAX + 1);
    let too_long = line(LINE_BYTES_MAX + 1);
    let folder = Folder::with("customers.ndjson", valid(2) + &longest + &too_long + &faulty(3) + &valid(4));
    let output = folder.run("validate customers.ndjson --rejects rejects --report report.json");
    assert_eq!(output.code, Some(1));
    let report = folder.read_report("report.json");
    assert_eq!((&report["documents"]["read"], &report["documents"]["rejected"]), (&5.into(), &2.into()));
    assert_eq!(report["errors"][0]["code"], "json:line_too_long");
    assert_eq!(report["errors"][0]["samples"][0]["line"], 3);
    assert_eq!(report["errors"][1]["samples"][0]["line"], 4);
    assert!(folder.read("rejects/rejects.ndjson") == (too_long + &faulty(3)).into_bytes(), "byte for byte");
}

/// 96 MiB without a line end go through a program that has not even the room for them.
#[test]
#[cfg(target_os = "linux")]
fn a_long_line_is_kept_in_constant_memory() {
    const PART_BYTES: usize = 1 << 20;
    const PARTS: usize = 96;
    const RESIDENT_KIB_MAX: u64 = 80 * 1024; // measured: 33 MiB, half of it the 16 MiB that might still be a document
    let folder = Folder::new();
    let part: Vec<u8> = (0..PART_BYTES).map(|at| b'a' + u8::try_from(at % 23).expect("a letter")).collect();
    let mut command = folder.command("validate - --rejects rejects --jobs 1");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin: ChildStdin = child.stdin.take().expect("standard input is a pipe");
    for _ in 0..PARTS {
        stdin.write_all(&part).expect("the program reads");
    }
    // All but what a pipe holds has been read now.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the program runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak is listed");
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("the peak is a number");
    assert!(peak_kib < RESIDENT_KIB_MAX, "{peak_kib} KiB");
    stdin.write_all(b"\n{}\n").expect("the program reads");
    drop(stdin);
    assert_eq!(child.wait().expect("the program ends").code(), Some(1));
    let kept = folder.read("rejects/rejects.ndjson");
    let (long, rest) = kept.split_at(PARTS * PART_BYTES);
    assert!(long.chunks(PART_BYTES).all(|kept| kept == part), "byte for byte");
    assert_eq!(rest, b"\n{}\n");
}

/// Whoever may write to the folder would have us write customers' documents to where they read them, or over what is ours.
#[test]
fn links_at_their_names_are_not_followed() {
    let words = "validate customers.ndjson --rejects rejects --report report.json";
    for (name, code) in [
        ("rejects/rejects.ndjson", 1),
        ("rejects/rejects.errors.ndjson", 1),
        ("rejects/rejects.ndjson.partial", 1),
        ("rejects/rejects.errors.ndjson.partial", 1),
        ("report.json", 1),
        ("report.json.partial", 4),
    ] {
        let folder = Folder::with("customers.ndjson", faulty(1));
        folder.write("elsewhere", "theirs\n");
        fs::create_dir(folder.path("rejects")).expect("the folder can be made");
        let link = folder.path(name);
        std::os::unix::fs::symlink(folder.path("elsewhere"), &link).expect("links can be made");
        let output = folder.run(words);
        assert_eq!(output.code, Some(code), "{name}: {}", output.stderr);
        assert_eq!(folder.read("elsewhere"), b"theirs\n", "{name}: what the link leads to is as it was");
        assert_eq!(folder.read("rejects/rejects.ndjson"), faulty(1).as_bytes(), "{name}");
        if code == 4 {
            assert!(
                output.stderr.contains("it is a link, which is not followed; remove it"),
                "{}",
                output.stderr
            );
            fs::remove_file(&link).expect("it can go");
            assert_eq!(folder.run(words).code, Some(1), "{name}");
        }
        for (name, mode) in [("rejects/rejects.ndjson", 0o600), ("rejects/rejects.errors.ndjson", 0o600)] {
            let metadata = fs::symlink_metadata(folder.path(name)).expect("it is there");
            assert!(metadata.is_file(), "{name}");
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
        }
    }
}

/// The files of a load's run have its number, and are not moved aside but written anew: a link there is refused.
#[test]
fn a_planted_partial_file_is_replaced_or_refused() {
    let folder = Folder::with("customers.ndjson", faulty(1));
    fs::create_dir(folder.path("rejects")).expect("the folder can be made");
    folder.write("elsewhere", "");
    fs::hard_link(folder.path("elsewhere"), folder.path("rejects/rejects.ndjson.partial"))
        .expect("links can be made");
    assert_eq!(folder.run("validate customers.ndjson --rejects rejects").code, Some(1));
    assert_eq!(folder.read("elsewhere"), b"");
}
