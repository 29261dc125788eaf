//! Spoils the documents of standard input, one a line, in seeded ways that keep most of them near the border between valid and not:
//! `generate --count 1000 | mutate 7`. For `scripts/mutated-million`.

#[path = "../tests/support/mutate.rs"]
mod mutate;

use std::{
    env,
    io::{self, BufRead as _, BufWriter, Write as _},
};

use mutate::{Random, mutate};

fn main() -> io::Result<()> {
    let seed = env::args().nth(1).and_then(|seed| seed.parse().ok());
    let Some(seed) = seed else { return Err(io::Error::other("give a seed, a whole number")) };
    let mut random = Random(seed);
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().split(b'\n') {
        out.write_all(&mutate(&line?, &mut random))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
