//! The same documents as NDJSON, as an array, one after another, and pretty-printed: what it costs to find where
//! documents end that are no lines.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
};

/// The time as a multiple of that of the same documents as NDJSON.
const TIME_BAR: Bar = Bar::AtMost(1.3);

#[derive(Debug, Clone, Copy)]
enum Form {
    Lines,
    Array,
    OneLine,
    Concatenated,
    Pretty,
}

/// The first is what the others are compared with. All are written in the same way, or some lie in other pages of the
/// system's cache than others.
const FORMS: [Form; 5] = [Form::Lines, Form::Array, Form::OneLine, Form::Concatenated, Form::Pretty];

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Lines => "NDJSON",
            Self::Array => "array, a document a line",
            Self::OneLine => "array on one line",
            Self::Concatenated => "one after another",
            Self::Pretty => "pretty-printed array",
        }
    }

    /// What stands before, between and behind documents.
    fn between(self) -> [&'static str; 3] {
        match self {
            Self::Lines => ["", "\n", "\n"],
            Self::Array | Self::Pretty => ["[\n", ",\n", "\n]\n"],
            Self::OneLine => ["[", ",", "]"],
            Self::Concatenated => ["", "", ""],
        }
    }
}

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    let lines = data::file(&bench.options.data, Documents::first(count))?;
    figures::title(&format!("validate of {count} documents in other framings than NDJSON"));
    let files = FORMS.map(|form| rewritten(&bench.home, &lines, form));
    let mut sides = FORMS.map(|form| Samples::new(form.name()));
    for _ in 0..bench.options.runs {
        for ((side, file), form) in sides.iter_mut().zip(&files).zip(FORMS) {
            let file = file.as_ref().map_err(|why| Failure::new(why.chain()))?;
            let framing = if matches!(form, Form::Lines) { "ndjson" } else { "json" };
            side.add(&bench.loader.check_framed(file, framing, count)?);
        }
    }
    figures::table(&sides);
    let [ndjson, others @ ..] = &sides;
    for side in others {
        figures::ratio(side, ndjson, Some(TIME_BAR));
    }
    Ok(())
}

/// A file of the documents of `lines`, in the folder `home`.
fn rewritten(home: &Path, lines: &Path, form: Form) -> Outcome<PathBuf> {
    let path = home.join(format!("{form:?}.json"));
    write(lines, &path, form).map_err(Failure::of(format!("writing {}", path.display())))?;
    Ok(path)
}

fn write(lines: &Path, path: &Path, form: Form) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let [before, between, behind] = form.between();
    out.write_all(before.as_bytes())?;
    for (index, line) in BufReader::new(fs::File::open(lines)?).lines().enumerate() {
        let line = line?;
        if index > 0 {
            out.write_all(between.as_bytes())?;
        }
        match form {
            Form::Pretty => out.write_all(&pretty(line.as_bytes()))?,
            Form::Lines | Form::Array | Form::OneLine | Form::Concatenated => {
                out.write_all(line.as_bytes())?;
            }
        }
    }
    out.write_all(behind.as_bytes())?;
    out.flush()
}

/// The document with a member or an item a line, in the order that they have: sound JSON without white space.
fn pretty(document: &[u8]) -> Vec<u8> {
    let (mut out, mut depth, mut is_in_text, mut is_escaped) = (Vec::new(), 0, false, false);
    let new_line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for &byte in document {
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_in_text ^= is_quote;
        match byte {
            b'{' | b'[' if !is_in_text => {
                depth += 1;
                out.push(byte);
                new_line(&mut out, depth);
            }
            b'}' | b']' if !is_in_text => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(byte);
            }
            b',' if !is_in_text => {
                out.push(byte);
                new_line(&mut out, depth);
            }
            b':' if !is_in_text => out.extend(b": "),
            _ => out.push(byte),
        }
    }
    out
}
