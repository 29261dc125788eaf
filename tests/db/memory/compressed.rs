//! Compressed files, several of which are read at the same time.

use std::{fs, io::Write as _};

use super::{MEASURING, Shape, VALIDATE_MIB, long_lines, peak};
use crate::support::{binary, generate};

/// Some keep much of their text, and some have lines that take much memory.
#[test]
fn of_compressed_files() {
    let _alone = MEASURING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    };
    let wide_zstd = |text: &[u8]| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("there is memory");
        encoder.window_log(25).expect("zstd has such windows");
        encoder.write_all(text).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    };
    let documents = generate(&["--count", "150000", "--seed", "74"]);
    let lines = |shape: &Shape| format!("{}\n", shape.line).repeat(shape.lines).into_bytes();
    let shapes = long_lines();
    let named = |name: &str| shapes.iter().find(|shape| shape.name == name).expect("there is such a shape");
    let (text, keys) = (lines(named("one string of characters")), lines(named("duplicate keys")));
    for (name, stored) in [
        ("documents", gzip(&documents)),
        ("documents, 32 MiB kept", wide_zstd(&documents)),
        ("one string", gzip(&text)),
        ("duplicate keys", gzip(&keys)),
    ] {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        for number in 0..4 {
            fs::write(folder.path().join(format!("{number}.in")), &stored).expect("the folder is ours");
        }
        let mut program = binary();
        program
            .arg("validate")
            .arg(folder.path().join("*.in"))
            .args(["--jobs", "2", "--output", "json", "--quiet"]);
        program.arg("--rejects").arg(folder.path().join("rejects"));
        let (peak_mib, report) = peak(program);
        eprintln!("{peak_mib:>4} MiB  four compressed files: {name}");
        assert!(report["documents"]["read"].as_u64() >= Some(16), "{report}");
        assert!(peak_mib > 0 && peak_mib <= VALIDATE_MIB, "{name}: {peak_mib} MiB of {VALIDATE_MIB}");
    }
}
