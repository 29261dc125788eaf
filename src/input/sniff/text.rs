//! Text that is no JSON: pages, tables, scripts, streams of events. Most of it is looked at only where no line begins as
//! documents do.

use super::{
    lines::{Head, is_document_start, is_object},
    shape::{Fix, PIPE_IN, Shape},
};

const AS_JSON: Fix = Fix::Words("convert it to one JSON object a line, with typed and nested properties");
const ROWS_AS_JSON: Fix =
    Fix::Words("export its rows as one JSON object a line, with row_to_json() or JSON_OBJECT()");

/// Of a table that may be one.
const ROWS_LOOKED_AT: usize = 10;

/// Where documents may stand in scripts of a page.
pub(super) fn page(head: &Head<'_>) -> Option<Shape> {
    let is_tag = |line: &[u8]| matches!(line, [b'<', b'!' | b'?' | b'/' | b'a'..=b'z' | b'A'..=b'Z', ..]);
    let has = |line: &[u8], word: &[u8]| memchr::memmem::find(line, word).is_some();
    let mut is_in_script = false;
    for (at, line) in head.lines.iter().enumerate() {
        let is_closed = || head.lines[at..].iter().any(|line| has(line, b"</script"));
        if is_document_start(line) && !(is_in_script && is_closed()) {
            return None;
        }
        is_in_script = (is_in_script || has(line, b"<script")) && !has(line, b"</script");
    }
    let first = head.lines.first()?;
    is_tag(first).then_some(Shape {
        found: "an HTML or XML page",
        told: "it begins with a tag",
        fix: Fix::Words("check where it was downloaded from, perhaps it is a login page"),
    })
}

/// Looks at a start in which no line begins as documents do.
pub(super) fn text(head: &Head<'_>) -> Option<Shape> {
    let lines = head.whole_lines();
    let first = *lines.first()?;
    pointer(first)
        .or_else(|| events(lines))
        .or_else(|| prefixed(lines))
        .or_else(|| in_single_quotes(lines))
        .or_else(|| drawn_table(lines))
        .or_else(|| script(lines))
        .or_else(|| yaml(lines))
        .or_else(|| csv_of_json(lines))
        .or_else(|| csv(lines))
}

/// What stands for the file, or hides it.
fn pointer(first: &[u8]) -> Option<Shape> {
    let told = "its first line says so";
    let base64 = first.len() > 20
        && first.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    let (found, fix) = if first.starts_with(b"version https://git-lfs.github.com/") {
        ("a pointer of Git LFS", Fix::Words("fetch the file itself with: git lfs pull"))
    } else if first.starts_with(b"-----BEGIN PGP MESSAGE") {
        ("a message of OpenPGP", Fix::Command(PIPE_IN, "gpg -d FILE | profile-loader … -"))
    } else if first.starts_with(b"age-encryption.org/") || first.starts_with(b"-----BEGIN AGE") {
        ("a file of age", Fix::Command(PIPE_IN, "age -d FILE | profile-loader … -"))
    } else if base64 && (first.starts_with(b"H4sI") || first.starts_with(b"KLUv")) {
        ("a compressed stream in Base64", Fix::Command(PIPE_IN, "base64 -d FILE | profile-loader … -"))
    } else {
        return None;
    };
    Some(Shape { found, told, fix })
}

/// Server-sent events; one line alone may be a log's.
fn events(lines: &[&[u8]]) -> Option<Shape> {
    let is_field = |line: &&[u8]| {
        [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| line.starts_with(field))
    };
    let has_data = lines.iter().any(|line| line.starts_with(b"data:") && line.contains(&b'{'));
    (lines.len() > 1 && has_data && lines.iter().all(is_field)).then_some(Shape {
        found: "server-sent events",
        told: "its lines begin with data:, event: or id:",
        fix: Fix::Command("take the documents out with", "sed -n 's/^data: *//p' FILE"),
    })
}

/// A log, or keys before values.
fn prefixed(lines: &[&[u8]]) -> Option<Shape> {
    let is_prefixed = |line: &&[u8]| {
        line.iter().position(|&byte| byte == b'{').is_some_and(|at| at > 0 && is_object(&line[at..]))
    };
    (lines.len() > 1 && lines.iter().all(is_prefixed)).then_some(Shape {
        found: "lines with something before each document",
        told: "as a log has it",
        fix: Fix::Command("take it off with", "sed 's/^[^{]*//' FILE"),
    })
}

/// Words of a shell, or of an array in its program.
fn in_single_quotes(lines: &[&[u8]]) -> Option<Shape> {
    let is_quoted = |line: &&[u8]| {
        let end = line.iter().rposition(|byte| !b",; \t".contains(byte)).unwrap_or(0);
        line[..=end].strip_prefix(b"'").and_then(|inner| inner.strip_suffix(b"'")).is_some_and(is_object)
    };
    (lines.len() > 1 && lines.iter().all(is_quoted)).then_some(Shape {
        found: "documents in single quotes",
        told: "each line begins and ends with one, as a word of a shell does",
        fix: Fix::Command(
            "take them off with",
            r#"sed -e "s/^[[:space:]]*'//" -e "s/'[,;[:space:]]*\$//" FILE"#,
        ),
    })
}

fn drawn_table(lines: &[&[u8]]) -> Option<Shape> {
    let is_rule = |line: &&[u8]| {
        let is_ruled = line.starts_with(b"+--") || (line.starts_with(b"---") && line.len() > 3);
        line.starts_with(b"-[ RECORD ") || is_ruled && line.iter().all(|byte| b"+-|".contains(byte))
    };
    (lines.len() > 1 && lines.iter().take(2).any(is_rule)).then_some(Shape {
        found: "a table as psql or mysql draws it",
        told: "its head is ruled off with dashes",
        fix: ROWS_AS_JSON,
    })
}

fn script(lines: &[&[u8]]) -> Option<Shape> {
    let first = lines.first()?;
    let begins = |word: &[u8]| first.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let words: [&[u8]; 9] = [
        b"--",
        b"/*!",
        b"insert into ",
        b"create ",
        b"copy ",
        b"set ",
        b"begin;",
        b"drop ",
        b"start transaction",
    ];
    let has_statements = lines.iter().any(|line| line.ends_with(b";"));
    (words.iter().any(|word| begins(word)) && has_statements).then_some(Shape {
        found: "an SQL script",
        told: "it begins as one, and lines of it end in ;",
        fix: ROWS_AS_JSON,
    })
}

fn yaml(lines: &[&[u8]]) -> Option<Shape> {
    let is_entry = |line: &[u8]| {
        let line = line.strip_prefix(b"- ").unwrap_or(line);
        let name = line.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        name.is_some_and(|end| end > 0 && line[end..].starts_with(b":"))
    };
    let (first, second) = (lines.first()?, lines.get(1)?);
    let begins =
        *first == b"---" || first.starts_with(b"%YAML") || (first.starts_with(b"- ") && is_entry(first));
    (begins && is_entry(second)).then_some(Shape {
        found: "YAML",
        told: "it begins with --- or -, and goes on with names and colons",
        fix: AS_JSON,
    })
}

/// Documents in the only column, as COPY writes them, with or without a head.
fn csv_of_json(lines: &[&[u8]]) -> Option<Shape> {
    let is_quoted = |line: &&[u8]| line.starts_with(br#""{"""#) && line.ends_with(br#"}""#);
    let (first, rest) = lines.split_first()?;
    let command = if is_quoted(first) {
        r#"sed -e 's/^"//' -e 's/"$//' -e 's/""/"/g' FILE"#
    } else if is_name(first) && !rest.is_empty() {
        r#"sed -e 1d -e 's/^"//' -e 's/"$//' -e 's/""/"/g' FILE"#
    } else {
        return None;
    };
    rest.iter().all(is_quoted).then_some(Shape {
        found: "CSV with JSON in its only column",
        told: "each line is quoted, with its quotes doubled",
        fix: Fix::Command("take the quotes off with", command),
    })
}

/// A head, or rows, with as many separators in one line as in the next.
fn csv(lines: &[&[u8]]) -> Option<Shape> {
    let first = lines.first()?;
    let rows = &lines[..lines.len().min(ROWS_LOOKED_AT)];
    let is_head = first[0].is_ascii_alphabetic() || first[0] == b'"';
    let has_names = first.split(|byte| b",;\t|".contains(byte)).all(is_name);
    let is_row = !b"{[<#".contains(&first[0]);
    let is_table = |&separator: &u8| {
        let count = count_outside_quotes(first, separator);
        let is_alike = |row: &&[u8]| !row.starts_with(b"{") && count_outside_quotes(row, separator) == count;
        let has_it = |row: &&[u8]| row.contains(&separator) && !row.starts_with(b"{");
        // Behind a comma of prose there is a blank.
        let is_prose = first.windows(2).any(|pair| pair == [separator, b' ']);
        let count_min = if is_head || separator == b'\t' { 1 } else { 2 };
        count >= count_min
            && match rows {
                [_] => is_head && has_names,
                rows => {
                    !is_prose && rows.iter().all(is_alike) || (has_names && rows.iter().take(2).all(has_it))
                }
            }
    };
    (is_row && b",;\t|".iter().any(is_table)).then_some(Shape {
        found: "CSV",
        told: "its first lines have the same separators",
        fix: AS_JSON,
    })
}

/// As columns are named: no sentence.
fn is_name(field: &[u8]) -> bool {
    let field = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field);
    !field.is_empty() && field.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn count_outside_quotes(line: &[u8], separator: u8) -> usize {
    let mut is_quoted = false;
    let counted = line.iter().filter(|&&byte| {
        is_quoted ^= byte == b'"';
        !is_quoted && byte == separator
    });
    counted.count()
}
