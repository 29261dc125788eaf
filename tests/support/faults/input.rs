//! The documents of the fault tests: new ones, known ones, changed ones, copies of earlier ones, faulty ones,
//! one that only the server refuses, and lines without any. The same for ever.

use serde_json::Value;

use crate::support::{Random, Store, Tables, TestServer, document_lines, generate};

/// Refused by a constraint of the owner's.
const REFUSED_LAST_NAME: &str = "Refused by the server";

/// What the tables hold before the load, and what is loaded.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) stored: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

impl Input {
    /// About this many documents, of 400 bytes each. A tenth has the id of an earlier one (half of these differ
    /// from it), a twentieth is faulty, a fifth is stored already (half of these differ).
    pub(crate) fn of(documents: usize, seed: u64) -> Self {
        let (count, seed) = (documents.to_string(), seed.to_string());
        let some = (documents / 5).to_string();
        let stored = generate(&["--count", &some, "--seed", &seed, "--changed", "0.5"]);
        let options = ["--count", &count, "--seed", &seed, "--duplicates", "0.1", "--invalid", "0.05"];
        let text = generate(&options);
        Self { stored, text: mix(&text, documents) }
    }

    /// The same for tables that hold nothing.
    pub(crate) fn for_empty_tables(documents: usize, seed: u64) -> Self {
        Self { stored: Vec::new(), ..Self::of(documents, seed) }
    }

    /// The same documents in an array as `document_lines` reads it, each over several lines; those that are no JSON, as others that are none.
    pub(crate) fn in_array(self) -> Self {
        let document = |line: &[u8]| match serde_json::from_slice::<Value>(line) {
            Ok(document) => serde_json::to_string_pretty(&document).expect("it is JSON"),
            Err(_) => "{\n  \"id\": oops\n}".to_owned(),
        };
        let documents: Vec<_> = document_lines(&self.text).iter().map(|(_, line)| document(line)).collect();
        Self { text: [&b"[\n"[..], documents.join("\n,\n").as_bytes(), b"\n]\n"].concat(), ..self }
    }

    /// A store with tables that hold what they have to before the load.
    pub(crate) fn store(&self, server: &TestServer, name_hint: &str) -> Store {
        let store = Store::at(server.database(name_hint), Tables::Foreign);
        store.database.execute(&format!(
            "ALTER TABLE customer_profiles ADD CONSTRAINT ck_owner CHECK (last_name <> '{REFUSED_LAST_NAME}')"
        ));
        let run = store.load(&[], &self.stored);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        store
    }
}

/// Blank lines between the documents, other line ends, none at the end, and some documents that only the
/// server refuses.
fn mix(text: &[u8], documents: usize) -> Vec<u8> {
    let mut random = Random(u64::try_from(documents).expect("few documents"));
    let mut mixed = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match random.below(60) {
            0 => mixed.extend_from_slice(b"\n"),
            1 => mixed.extend_from_slice(b" \t\r\n"),
            _ => {}
        }
        match refused(line).filter(|_| random.below(400) == 0) {
            Some(refused) => mixed.extend(refused),
            None => mixed.extend_from_slice(line),
        }
        mixed.extend_from_slice(if random.below(20) == 0 { b"\r\n" } else { b"\n" });
    }
    mixed.truncate(mixed.trim_ascii_end().len());
    mixed
}

/// The document as the server refuses it, where it has no other fault that can be seen at once.
fn refused(line: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(line).ok()?;
    *document.get_mut("lastName")? = REFUSED_LAST_NAME.into();
    Some(document.to_string().into_bytes())
}
