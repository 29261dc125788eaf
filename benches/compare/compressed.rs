//! The same documents in one gzip file of several members, which one thread has to inflate from front to end, and with each
//! member in a file of its own, which several may.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Faulty,
};

const FILES: usize = 8;

/// On two cores, inflating and checking one after the other keeps both busy; what several files gain shows with more.
const BAR: Bar = Bar::AtMost(1.05);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    let text = fs::read(data::file(&bench.options.data, Documents::first(count))?);
    let text = text.map_err(Failure::of("reading the documents"))?;
    let folder = bench.home.join("compressed");
    fs::create_dir_all(&folder).map_err(Failure::of("making a folder"))?;
    let one = bench.home.join("one-after-another.ndjson.gz");
    compress(&text, &folder, &one).map_err(Failure::of("compressing the documents"))?;
    drop(text);
    figures::title(&format!("validate of {count} documents, compressed"));
    let mut sides = [
        (one, Samples::new("one gzip file")),
        (folder.join("*.gz"), Samples::new(format!("{FILES} gzip files"))),
    ];
    for _ in 0..bench.options.runs {
        for (files, samples) in &mut sides {
            samples.add(&bench.loader.validate(files, count, Faulty::None)?);
        }
    }
    let [(_, one), (_, several)] = &sides;
    figures::table([one, several]);
    figures::ratio(several, one, Some(BAR));
    figures::peak(several);
    Ok(())
}

/// Each file of about as many whole lines; `whole` holds all of them one after another.
fn compress(text: &[u8], folder: &Path, whole: &Path) -> io::Result<()> {
    let mut all = File::create(whole)?;
    let mut from = 0;
    for number in 1..=FILES {
        let end = number * text.len() / FILES;
        let to = memchr::memchr(b'\n', &text[end - 1..]).map_or(text.len(), |at| end + at);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text[from..to])?;
        let member = encoder.finish()?;
        fs::write(folder.join(format!("{number}.ndjson.gz")), &member)?;
        all.write_all(&member)?;
        from = to;
    }
    Ok(())
}
