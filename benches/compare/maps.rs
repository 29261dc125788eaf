//! Documents under the names of exports, made ours by maps, beside those that need none: what a map costs.

mod exports;

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Faulty,
};

/// A second of processor time, whatever else the machine does.
const DOCUMENTS_A_SECOND_BAR: Bar = Bar::AtLeast(45_000.0);

/// A map takes tens of times what checking does; one document in five of `--documents` is enough.
const SHARE: u64 = 5;

struct Shape {
    name: &'static str,
    map: &'static str,
    /// The document's number is what an export's own key is made of.
    write: fn(&Map<String, Value>, u64) -> Value,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "renamed", map: include_str!("maps/renaming.jq"), write: exports::renamed },
    Shape { name: "mongoexport", map: include_str!("../../examples/legacy/mongo.jq"), write: exports::mongo },
    Shape { name: "flat", map: include_str!("../../examples/legacy/flat.jq"), write: exports::flat },
    Shape { name: "nested dump", map: include_str!("../../examples/legacy/crm.jq"), write: exports::crm },
];

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents / SHARE;
    let lines = data::file(&bench.options.data, Documents::first(count))?;
    figures::title(&format!("validate of {count} documents as they are, and of exports by their maps"));
    let inputs: Vec<_> =
        SHAPES.iter().map(|shape| shape.files(&lines, &bench.home)).collect::<Outcome<_>>()?;
    let mut plain = Samples::new("as they are");
    let mut mapped: Vec<_> = SHAPES.iter().map(|shape| Samples::new(shape.name)).collect();
    for _ in 0..bench.options.runs {
        plain.add(&bench.loader.validate(&lines, count, Faulty::None)?);
        for (side, (export, map)) in mapped.iter_mut().zip(&inputs) {
            let options = ["--map", &map.to_string_lossy()];
            side.add(&bench.loader.validate_with(export, count, Faulty::None, &options)?);
        }
    }
    figures::table([&plain].into_iter().chain(&mapped));
    for side in &mapped {
        figures::rate_of_a_core(side, count, DOCUMENTS_A_SECOND_BAR);
    }
    Ok(())
}

impl Shape {
    /// The export and its map, in the folder `home`.
    fn files(&self, lines: &Path, home: &Path) -> Outcome<(PathBuf, PathBuf)> {
        let (export, map) =
            (home.join(format!("{}.ndjson", self.name)), home.join(format!("{}.jq", self.name)));
        self.write(lines, &export).map_err(Failure::of("writing an export"))?;
        fs::write(&map, self.map).map_err(Failure::of("writing a map"))?;
        Ok((export, map))
    }

    fn write(&self, lines: &Path, export: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(export)?);
        for (line, at) in BufReader::new(File::open(lines)?).lines().zip(1..) {
            serde_json::to_writer(&mut out, &(self.write)(&serde_json::from_str(&line?)?, at))?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}
