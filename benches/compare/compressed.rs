//! Checking compressed files: eight, decompressed ahead on threads of their own, beside the same eight with one job, where
//! the thread that cuts them decompresses one after another, and beside all of them as one file.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
};

const FILES: usize = 8;

/// The time of one after another as a multiple of that of eight files.
const SPEED_BAR: Bar = Bar::AtLeast(1.6);

/// The time of one file as a multiple of that of one after another.
const ONE_FILE_BAR: Bar = Bar::AtMost(1.05);

type Compress = fn(&[u8], File) -> io::Result<()>;

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    let documents = data::file(&bench.options.data, Documents::first(count))?;
    let forms: [(&str, Compress); 2] = [("gz", gzip), ("zst", zstd)];
    for (form, compress) in forms {
        let (eight, one) = write_files(&documents, &bench.home.join(form), form, compress)
            .map_err(Failure::of(format!("making {form} files of the documents")))?;
        let mut ahead = Samples::new(format!("validate, {FILES} {form} files"));
        let mut in_turn = Samples::new(format!("validate --jobs 1, {FILES} {form} files"));
        let mut single = Samples::new(format!("validate, 1 {form} file"));
        let mut single_in_turn = Samples::new(format!("validate --jobs 1, 1 {form} file"));
        for _ in 0..bench.options.runs {
            let validate =
                |files: &[PathBuf], options: &[&str]| bench.loader.validate_all(files, count, options);
            ahead.add(&validate(&eight, &[])?);
            in_turn.add(&validate(&eight, &["--jobs", "1"])?);
            single.add(&validate(&[one.clone()], &[])?);
            single_in_turn.add(&validate(&[one.clone()], &["--jobs", "1"])?);
        }
        figures::title(&format!("validate of compressed files: {count} documents, {form}"));
        figures::table([&ahead, &in_turn, &single, &single_in_turn]);
        figures::ratio(&in_turn, &ahead, (form == "gz").then_some(SPEED_BAR));
        figures::ratio(&single, &single_in_turn, Some(ONE_FILE_BAR));
        figures::peak(&ahead);
    }
    Ok(())
}

/// As many files of whole lines, and one of all of them.
fn write_files(
    documents: &Path,
    folder: &Path,
    form: &str,
    compress: fn(&[u8], File) -> io::Result<()>,
) -> io::Result<(Vec<PathBuf>, PathBuf)> {
    let text = fs::read(documents)?;
    fs::create_dir_all(folder)?;
    let (mut files, mut from) = (Vec::new(), 0);
    for number in 1..=FILES {
        let end = number * text.len() / FILES;
        let to = memchr::memchr(b'\n', &text[end - 1..]).map_or(text.len(), |at| end + at);
        let path = folder.join(format!("{number}.ndjson.{form}"));
        compress(&text[from..to], File::create(&path)?)?;
        files.push(path);
        from = to;
    }
    let one = folder.join(format!("all.ndjson.{form}"));
    let mut all = File::create(&one)?;
    for file in &files {
        all.write_all(&fs::read(file)?)?;
    }
    Ok((files, one))
}

fn gzip(text: &[u8], file: File) -> io::Result<()> {
    let mut encoder = GzEncoder::new(file, Compression::default());
    encoder.write_all(text)?;
    encoder.finish()?.flush()
}

fn zstd(text: &[u8], file: File) -> io::Result<()> {
    zstd::stream::copy_encode(text, file, 3)
}
