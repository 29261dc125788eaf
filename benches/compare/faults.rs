//! Checking documents that are all wrong in the same way, with reject files: a row for each file of `fixtures/invalid`.
//!
//! The fixture is one document with one defect. It is filled in with the values of generated documents, each in the
//! place of its own; where the defect is, there is no such place. One valid document comes first, because input without
//! any may be refused as a whole.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::Value;

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Faulty,
};

const DOCUMENTS_A_SECOND_BAR: Bar = Bar::AtLeast(1_000_000.0);

/// There are many kinds; for each of them one document in five of `--documents`.
const SHARE: u64 = 5;

/// The values of the fixtures, and where those of a generated document stand.
const VALUES: [(&str, &str); 14] = [
    ("9b7e6a52-84c3-4f1d-b6e0-2a5c71d8f902", "/id"),
    ("Zoë", "/firstName"),
    ("Marie", "/middleName"),
    ("Krämer", "/lastName"),
    ("zoe.kraemer@example.com", "/emails/0"),
    ("zk@example.org", "/emails/1"),
    ("+4915112345678", "/phoneNumbers/0/number"),
    ("+4930901820", "/phoneNumbers/1/number"),
    ("Lange Straße 5", "/address/line1"),
    ("Hinterhaus", "/address/line2"),
    ("Köln", "/address/city"),
    ("Nordrhein-Westfalen", "/address/state"),
    ("50667", "/address/postalCode"),
    ("DE", "/address/country"),
];

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents / SHARE;
    let documents = values_of(&data::file(&bench.options.data, Documents::first(count))?)?;
    let path = bench.home.join("faulty.ndjson");
    let rejects = bench.home.join("rejects");
    figures::title(&format!("validate --rejects: {count} documents, all with the same fault"));
    let mut slow = 0_u32;
    for kind in kinds()? {
        let name = kind.name.clone();
        kind.write(&documents, &path).map_err(Failure::of(format!("making documents with {name}")))?;
        let mut samples = Samples::new(name);
        for _ in 0..bench.options.runs {
            let options = ["--rejects".as_ref(), rejects.as_os_str()].map(|text| text.to_string_lossy());
            let options = options.each_ref().map(AsRef::as_ref);
            samples.add(&bench.loader.validate_with(&path, count + 1, Faulty::AllButOne, &options)?);
            fs::remove_dir_all(&rejects).map_err(Failure::of("removing the reject files"))?;
        }
        if !figures::rate(&samples, count, DOCUMENTS_A_SECOND_BAR) {
            slow += 1;
        }
    }
    fs::remove_file(&path).map_err(Failure::of("removing the documents"))?;
    figures::figure("kinds that miss the bar", f64::from(slow), "", Some(Bar::AtMost(0.0)));
    Ok(())
}

/// A file of `fixtures/invalid`: its faulty line, cut where values of other documents come in.
struct Kind {
    name: String,
    valid: Vec<u8>,
    /// What stands before each value, and which one it is.
    pieces: Vec<(Vec<u8>, usize)>,
    /// What stands after the last one.
    end: Vec<u8>,
}

fn kinds() -> Outcome<Vec<Kind>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invalid");
    let mut kinds = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Failure::of("reading fixtures/invalid"))? {
        let path = entry.map_err(Failure::of("reading fixtures/invalid"))?.path();
        if path.extension().is_none_or(|extension| extension != "ndjson") {
            continue;
        }
        let text = fs::read(&path).map_err(Failure::of(format!("reading {}", path.display())))?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let Some((valid, faulty)) = lines.next().zip(lines.next()) else {
            return Err(Failure::new(format!("{} has no second line", path.display())));
        };
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        kinds.push(Kind::of(name.unwrap_or_default(), valid, faulty));
    }
    kinds.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(kinds)
}

impl Kind {
    fn of(name: String, valid: &[u8], faulty: &[u8]) -> Self {
        let mut pieces = Vec::new();
        let mut rest = faulty;
        loop {
            let quoted = VALUES.iter().enumerate().filter_map(|(nth, (value, _))| {
                let quoted = format!("\"{value}\"");
                Some((memchr::memmem::find(rest, quoted.as_bytes())?, nth, quoted.len()))
            });
            let Some((at, nth, length)) = quoted.min() else { break };
            pieces.push((rest[..at].to_vec(), nth));
            rest = &rest[at + length..];
        }
        Self { name, valid: valid.to_vec(), pieces, end: rest.to_vec() }
    }

    fn write(&self, documents: &[[String; VALUES.len()]], path: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&self.valid)?;
        out.write_all(b"\n")?;
        for values in documents {
            for (before, nth) in &self.pieces {
                out.write_all(before)?;
                out.write_all(values[*nth].as_bytes())?;
            }
            out.write_all(&self.end)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

/// Of each document the values, as JSON; where it has none, the fixtures' own.
fn values_of(documents: &Path) -> Outcome<Vec<[String; VALUES.len()]>> {
    let text = fs::read_to_string(documents).map_err(Failure::of("reading the documents"))?;
    let values = |line: &str| {
        let document: Value = serde_json::from_str(line)?;
        let value = |(own, pointer): (&str, &str)| {
            document.pointer(pointer).map_or_else(|| format!("\"{own}\""), Value::to_string)
        };
        Ok(VALUES.map(value))
    };
    text.lines()
        .map(|line| values(line).map_err(Failure::of::<serde_json::Error>("reading a document")))
        .collect()
}
