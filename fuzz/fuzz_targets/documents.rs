//! Documents in arrays, behind each other and behind separators, against a splitter that goes a byte at a time; what stands
//! between them; and the same documents again out of the form that reject files have.

#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_loader::{
    internals::input::InputError,
    settings::{Framing, FramingRequest},
};
use profile_loader_fuzz::{
    Document, Outcome, come_again_from_rejects, file, line_ends, read, read_again,
    splitter::{End, split},
};
use serde_json::Value;

const JSON: FramingRequest = FramingRequest::Only(Framing::Json);

fuzz_target!(|input: &[u8]| {
    let Some((&[chunk, other_chunk], text)) = input.split_first_chunk() else { return };
    if [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd"].iter().any(|magic| text.starts_with(magic)) {
        return;
    }
    let chunk_bytes = 1 + usize::from(chunk) * usize::from(chunk) / 20;
    let source = file(text);
    let found = read(&source, JSON, chunk_bytes);
    let other = read(&source, JSON, 1 + usize::from(other_chunk));
    assert_eq!(found.error_text(), other.error_text());
    if matches!(found.error, Some(InputError::Format { .. })) {
        return; // It is recognised as no documents at all.
    }
    let begin = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (documents, end) = split(text, begin);
    assert_eq!(places(&found), places(&other));
    assert_eq!(places(&found), documents.iter().map(Document::trimmed).collect::<Vec<_>>());
    assert_eq!(end_of(&found), expected_end(text, end), "{:?}", found.error);
    if found.error.is_some() {
        return;
    }
    assert_eq!(found.text, text[begin..]);
    assert_eq!(found.ends.last().map(|end| &end.digest), other.ends.last().map(|end| &end.digest));
    let again = read_again(&source, JSON, 1 + usize::from(other_chunk), &found.ends);
    assert_eq!(again.error_text(), None);
    are_values_of_serde_json(text, begin, &documents);
    come_again_from_rejects(&documents, Framing::Json);
});

fn places(outcome: &Outcome) -> Vec<Document> {
    outcome.documents.iter().map(Document::trimmed).collect()
}

/// Line and byte offset of where something stops, and of the document that is in.
type Places = (Option<(u64, u64)>, Option<(u64, u64)>);

fn end_of(outcome: &Outcome) -> Option<Places> {
    Some(match outcome.error.as_ref()? {
        InputError::NoDocument { line, byte_offset, .. } => (Some((*line, *byte_offset)), None),
        InputError::NoEnd { line, byte_offset, found_line, found_byte, .. } => {
            assert!(found_byte >= byte_offset && found_line >= line);
            (None, Some((*line, *byte_offset)))
        }
        InputError::CutOff { line, byte_offset, .. } | InputError::ArrayCutOff { line, byte_offset, .. } => {
            (Some((*line, *byte_offset)), Some((*line, *byte_offset)))
        }
        other => panic!("{other}"),
    })
}

fn expected_end(text: &[u8], end: End) -> Option<Places> {
    let place = |at: usize| (1 + line_ends(&text[..at]), at as u64);
    match end {
        End::Whole => None,
        End::Between(at) => Some((Some(place(at)), None)),
        End::Within(start) => Some((None, Some(place(start)))),
        End::Early(start) => Some((Some(place(start)), Some(place(start)))),
    }
}

/// Where all of a text is JSON, its values are the documents.
fn are_values_of_serde_json(text: &[u8], begin: usize, documents: &[Document]) {
    let text = &text[begin..];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let mut expected = Vec::new();
    loop {
        match values.next() {
            None => break,
            Some(Ok(Value::Array(items))) => expected.extend(items),
            Some(Ok(value)) => {
                let end = begin + values.byte_offset();
                let document = documents.get(expected.len()).expect("each value is a document");
                assert_eq!(document.byte_offset as usize + document.text.len(), end);
                expected.push(value);
            }
            Some(Err(_)) => return,
        }
    }
    let values = documents.iter().map(|document| serde_json::from_slice::<Value>(&document.text).ok());
    assert_eq!(values.collect::<Vec<_>>(), expected.into_iter().map(Some).collect::<Vec<_>>());
}
