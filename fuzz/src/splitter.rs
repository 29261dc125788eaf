//! What documents of other framings than NDJSON are, decided a byte at a time and with all of the text at hand.

use crate::{Document, line_ends};

/// As short as it is with the feature `fuzzing`.
pub const TOKEN_BYTES_MAX: usize = 32;

/// Brackets of more levels are counted, not told apart.
const KINDS_MAX: usize = 128;

/// How a text ends; places count from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// Something stands here that is no document.
    Between(usize),
    /// Where the document ends that begins here can't be told.
    Within(usize),
    /// The text ends inside the document or array that begins here.
    Early(usize),
}

/// The documents from `begin` on, up to where there can be none.
pub fn split(text: &[u8], begin: usize) -> (Vec<Document>, End) {
    let mut documents = Vec::new();
    let end = walk(text, begin, &mut |start, end| {
        documents.push(Document {
            line: 1 + line_ends(&text[..start]),
            byte_offset: start as u64,
            text: text[start..end].to_vec(),
        });
    });
    (documents, end)
}

fn walk(text: &[u8], begin: usize, add: &mut impl FnMut(usize, usize)) -> End {
    let is_marked = text[begin..].starts_with(&[0x1e; 3]);
    let (mut at, mut array) = (if is_marked { begin + 2 } else { begin }, None);
    // In an array: whether a value, or the end, may come next.
    let (mut takes_value, mut takes_end) = (true, false);
    loop {
        while text.get(at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            at += 1;
        }
        let Some(&byte) = text.get(at) else {
            return array.map_or(End::Whole, End::Early);
        };
        match (byte, array) {
            (0x1e, None) => {
                // In a reject file only one at the beginning of a line begins another record.
                let begins = |at: &usize| text[*at] == 0x1e && (!is_marked || text[*at - 1] == b'\n');
                let end = (at + 1..text.len()).find(begins).unwrap_or(text.len());
                let is_visible = |at: &usize| !b" \t\r\n".contains(&text[*at]);
                let (first, last) = ((at + 1..end).find(is_visible), (at + 1..end).rfind(is_visible));
                if let Some((first, last)) = first.zip(last) {
                    add(first, last + 1);
                }
                at = end;
                continue;
            }
            (b'[', None) => {
                (array, takes_value, takes_end) = (Some(at), true, true);
                at += 1;
                continue;
            }
            (b']', Some(_)) if takes_end => {
                array = None;
                takes_value = true;
                at += 1;
                continue;
            }
            (b',', Some(_)) if !takes_value => {
                (takes_value, takes_end) = (true, false);
                at += 1;
                continue;
            }
            _ if !takes_value => return End::Between(at),
            _ => {}
        }
        let end = match byte {
            b'{' | b'[' => nested(text, at),
            b'"' => string(text, at),
            _ if ends_token(byte) => Err(End::Between(at)),
            _ => token(text, at, array.is_none()),
        };
        match end {
            Ok(end) => {
                add(at, end);
                at = end;
            }
            Err(end) => return end,
        }
        if array.is_some() {
            (takes_value, takes_end) = (false, true);
        }
    }
}

fn ends_token(byte: u8) -> bool {
    byte <= b' ' || b",:[]{}\"".contains(&byte)
}

fn token(text: &[u8], start: usize, is_top: bool) -> Result<usize, End> {
    let length = text[start..].iter().position(|byte| ends_token(*byte)).unwrap_or(text.len() - start);
    let token = &text[start..start + length];
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(token).is_ok();
    if length > TOKEN_BYTES_MAX || is_top && !is_json { Err(End::Between(start)) } else { Ok(start + length) }
}

fn string(text: &[u8], start: usize) -> Result<usize, End> {
    let mut at = start + 1;
    loop {
        match text.get(at) {
            None => return Err(End::Early(start)),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(..b' ') => return Err(End::Between(at)),
            Some(_) => at += 1,
        }
    }
}

/// Of an object or array: its end is where its brackets are closed, unless there is reason to doubt it.
fn nested(text: &[u8], start: usize) -> Result<usize, End> {
    let mut open = Vec::new();
    let (mut is_in_text, mut is_escaped, mut is_behind_text) = (false, false, false);
    let (mut has_bracket_in_text, mut is_odd) = (false, false);
    let mut before = None;
    let mut has_separator = false;
    for (at, &byte) in text.iter().enumerate().skip(start) {
        has_separator |= byte == 0x1e;
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        let is_bracket = b"[]{}".contains(&byte);
        if is_in_text && !is_quote {
            has_bracket_in_text |= is_bracket;
            is_odd |= byte < b' ';
        } else if is_behind_text {
            is_odd |= !b" \t\r\n,:]}".contains(&byte);
        }
        is_behind_text = is_in_text && is_quote;
        if is_bracket && !is_in_text {
            match byte {
                b'{' | b'[' => {
                    let is_in_object = open.last().is_some_and(|kind| *kind == b'{');
                    let has_place = match before {
                        None => true,
                        _ if open.len() > KINDS_MAX => true,
                        Some(b':') => is_in_object,
                        Some(b'[' | b',') => !is_in_object,
                        Some(_) => false,
                    };
                    open.push(byte);
                    if !has_place {
                        return Err(End::Within(start));
                    }
                }
                _ => {
                    let kind = open.pop().expect("a value begins with a bracket");
                    if open.len() < KINDS_MAX && (kind == b'{') != (byte == b'}') {
                        return Err(End::Within(start));
                    }
                }
            }
        }
        is_in_text ^= is_quote;
        if !byte.is_ascii_whitespace() {
            before = Some(byte);
        }
        if open.is_empty() {
            let is_doubtful = is_odd && has_bracket_in_text || has_separator;
            return if is_doubtful { Err(End::Within(start)) } else { Ok(at + 1) };
        }
    }
    Err(if is_odd && has_bracket_in_text || has_separator { End::Within(start) } else { End::Early(start) })
}
