//! One id again and again, beside as many documents with ids of their own.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
};

/// The time for one id as a multiple of that for distinct ids.
const BAR: Bar = Bar::AtMost(2.0);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents / 10;
    let distinct = data::file(&bench.options.data, Documents::first(count))?;
    let repeated = bench.home.join("one-id.ndjson");
    with_one_id(&distinct, &repeated).map_err(Failure::of("making documents with one id"))?;
    for policy in ["reject", "skip", "update"] {
        let name = |what: &str| format!("load --on-existing {policy}, {what}");
        let mut sides =
            [(&distinct, Samples::new(name("distinct ids"))), (&repeated, Samples::new(name("one id")))];
        for _ in 0..bench.options.runs {
            for (file, samples) in &mut sides {
                bench.server.fresh("run", "empty")?;
                let options = ["--on-existing", policy, "--connections", "2"];
                let (finished, loaded) =
                    bench.loader.load_refused(file, &bench.server.url("run"), &options)?;
                let stored = bench.server.contents("run")?.rows[0];
                if loaded.inserted != stored {
                    let inserted = loaded.inserted;
                    return Err(Failure::new(format!("{inserted} were inserted, but {stored} are stored")));
                }
                samples.add(&finished);
            }
        }
        let [(_, distinct), (_, one)] = &sides;
        figures::title(&format!("repeats: {count} documents into empty tables, --on-existing {policy}"));
        figures::table([distinct, one]);
        figures::ratio(one, distinct, Some(BAR));
        figures::peak(one);
    }
    Ok(())
}

/// The same documents, all with the id of the first.
fn with_one_id(from: &Path, to: &PathBuf) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    let mut id = None;
    for line in BufReader::new(File::open(from)?).lines() {
        let mut document: Value = serde_json::from_str(&line?)?;
        let id = id.get_or_insert_with(|| document["id"].clone());
        document["id"] = id.clone();
        serde_json::to_writer(&mut out, &document)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
