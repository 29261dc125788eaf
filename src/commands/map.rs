//! `map`: what a map makes of the first documents of an input, side by side with them.

use std::{fmt::Write as _, io::IsTerminal as _, ops::Range, thread};

use super::{
    failure::{Failure, exit},
    inputs::{OpenedInputs, failure_of_input},
    limits,
    output::print,
};
use crate::{
    console::Console,
    document::{DocumentSchema, Fault, Scratch, check_text, is_blank, sound_text},
    input::{Chunk, Piece},
    map::{DocumentMap, MapScratch, STACK_BYTES},
    path_text::visible,
    settings::{DocumentSettings, Framing},
};

/// What is asked for; `documents` has the map.
#[derive(Debug)]
pub(crate) struct MapRequest {
    pub(crate) documents: DocumentSettings,
    /// How many documents are looked at.
    pub(crate) first: usize,
    /// Values of customers go to standard output even where that is no terminal.
    pub(crate) show_values: bool,
}

/// The exit code says whether one of them would be rejected.
pub(crate) fn map(request: &MapRequest, console: Console) -> Result<u8, Failure> {
    let shows_values = request.show_values || std::io::stdout().is_terminal();
    limits::refuse_tight(0, 1, 1, true)?;
    let opened = OpenedInputs::open(&request.documents, console)?;
    let (text, rejected) = thread::scope(|scope| {
        let look = || Preview::new(shows_values).take(opened, request.first);
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, look);
        let thread = thread.map_err(|error| super::runtime::no_threads(&error))?;
        thread.join().unwrap_or_else(|_| Err(Failure::new(exit::BUG, "this is a bug of profile-loader")))
    })?;
    print(&text)?;
    Ok(if rejected > 0 { exit::REJECTS } else { exit::COMPLETE })
}

/// What is printed.
struct Preview {
    text: String,
    shows_values: bool,
    rejected: usize,
    scratch: Scratch,
    map_scratch: MapScratch,
}

impl Preview {
    fn new(shows_values: bool) -> Self {
        Self {
            text: String::new(),
            shows_values,
            rejected: 0,
            scratch: Scratch::default(),
            map_scratch: MapScratch::default(),
        }
    }

    /// The text, and how many documents would be rejected.
    fn take(mut self, mut opened: OpenedInputs, first: usize) -> Result<(String, usize), Failure> {
        let map = opened.map.take().expect("there is a map");
        let names: Vec<_> = opened.reader.sources().iter().map(crate::input::Source::name).collect();
        let mut left = first;
        while left > 0 {
            let Some(chunk) = opened.reader.next_chunk(Vec::new()).map_err(failure_of_input)? else { break };
            if let Piece::Long { line, ends, .. } = chunk.piece {
                if ends {
                    left -= 1;
                    self.begin(&names[chunk.source], line);
                    self.reject(None, &[Fault::line_too_long()]);
                }
                continue;
            }
            for (line, bytes) in documents(&chunk).into_iter().take(left) {
                left -= 1;
                self.add(&names[chunk.source], line, &chunk.bytes[bytes], &map, &opened.schema);
            }
        }
        if left == first {
            self.text.push_str("there is no document in it\n");
        } else if !self.shows_values {
            self.text.push_str("(--show-values shows the documents, which hold customers' values)\n");
        }
        Ok((self.text, self.rejected))
    }

    fn add(&mut self, source: &str, line: u64, bytes: &[u8], map: &DocumentMap, schema: &DocumentSchema) {
        self.begin(source, line);
        self.show("before", &String::from_utf8_lossy(bytes));
        match verdict(bytes, map, schema, &mut self.scratch, &mut self.map_scratch) {
            Verdict::Accepted(after) => {
                self.show("after", &after);
                self.text.push_str("  verdict  accepted\n\n");
            }
            Verdict::Dropped => self.text.push_str("  verdict  dropped\n\n"),
            Verdict::Rejected(after, faults) => self.reject(after.as_deref(), &faults),
        }
    }

    fn begin(&mut self, source: &str, line: u64) {
        let _ = writeln!(self.text, "{}, line {line}", visible(source));
    }

    fn reject(&mut self, after: Option<&str>, faults: &[Fault]) {
        self.rejected += 1;
        if let Some(after) = after {
            self.show("after", after);
        }
        self.text.push_str("  verdict  rejected\n");
        for fault in faults {
            let pointer = &fault.pointer;
            let place = if pointer.is_empty() { String::new() } else { format!(" {pointer}") };
            let words = format!("{}{place}: {}", fault.code, fault.message);
            let _ = writeln!(self.text, "           {}", visible(&words));
        }
        self.text.push('\n');
    }

    fn show(&mut self, what: &str, document: &str) {
        let document = document.trim();
        let shown = if self.shows_values {
            visible(document).into_owned()
        } else {
            format!("{} bytes", document.len())
        };
        let _ = writeln!(self.text, "  {what:<7}  {shown}");
    }
}

/// What becomes of a document, and what the map makes of it.
enum Verdict {
    Accepted(String),
    Dropped,
    Rejected(Option<String>, Vec<Fault>),
}

fn verdict(
    bytes: &[u8],
    map: &DocumentMap,
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    map_scratch: &mut MapScratch,
) -> Verdict {
    match sound_text(bytes, schema, scratch, |text, values| map.apply(text, values, map_scratch)) {
        Err(faults) => Verdict::Rejected(None, faults),
        Ok(Err(fault)) => Verdict::Rejected(None, vec![fault]),
        Ok(Ok(None)) => Verdict::Dropped,
        Ok(Ok(Some(mapped))) => match check_text(mapped, schema, scratch, |_| (), |_| ()) {
            Ok(()) => Verdict::Accepted(mapped.to_owned()),
            Err(faults) => Verdict::Rejected(Some(mapped.to_owned()), faults),
        },
    }
}

/// The documents of a chunk with their lines.
fn documents(chunk: &Chunk) -> Vec<(u64, Range<usize>)> {
    let documents = chunk.documents.iter().map(|span| (chunk.first_line + span.lines_before(), span.range()));
    documents
        .filter(|(_, range)| chunk.framing == Framing::Json || !is_blank(&chunk.bytes[range.clone()]))
        .collect()
}
