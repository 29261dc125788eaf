//! What a filter makes to JSON text, once, within the limits of a document.

use std::io::Write as _;

use jaq_json::{Num, Val};

use crate::document::{DEPTH_MAX, LINE_BYTES_MAX, VALUES_MAX};

/// An integer of more bits is none that a document may have.
const INTEGER_BITS_MAX: u64 = 1023;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwritable {
    TooLarge,
    NotJson,
}

/// What it writes is JSON, but for texts that may not be UTF-8.
pub(super) fn write(value: &Val, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    Writer { out, values: 0 }.value(value, 1)
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    values: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Val, depth: usize) -> Result<(), Unwritable> {
        self.values += 1;
        if self.values > VALUES_MAX || depth > DEPTH_MAX + 1 || self.out.len() > LINE_BYTES_MAX {
            return Err(Unwritable::TooLarge);
        }
        match value {
            Val::Null => self.out.extend(b"null"),
            Val::Bool(true) => self.out.extend(b"true"),
            Val::Bool(false) => self.out.extend(b"false"),
            Val::Num(number) => self.number(number)?,
            Val::TStr(text) => write_text(self.out, text)?,
            Val::BStr(_) => return Err(Unwritable::NotJson),
            Val::Arr(_) | Val::Obj(_) if depth > DEPTH_MAX => return Err(Unwritable::TooLarge),
            Val::Arr(items) => {
                self.out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(b',');
                    }
                    self.value(item, depth + 1)?;
                }
                self.out.push(b']');
            }
            Val::Obj(members) => {
                self.out.push(b'{');
                for (at, (name, member)) in members.iter().enumerate() {
                    if at > 0 {
                        self.out.push(b',');
                    }
                    let Val::TStr(name) = name else { return Err(Unwritable::NotJson) };
                    write_text(self.out, name)?;
                    self.out.push(b':');
                    self.value(member, depth + 1)?;
                }
                self.out.push(b'}');
            }
        }
        if self.out.len() > LINE_BYTES_MAX { Err(Unwritable::TooLarge) } else { Ok(()) }
    }

    fn number(&mut self, number: &Num) -> Result<(), Unwritable> {
        let is_writable = match number {
            Num::Int(_) => true,
            Num::BigInt(integer) => integer.bits() <= INTEGER_BITS_MAX,
            Num::Float(float) => float.is_finite(),
            // Of the input it is as it was there. One that a filter has in its text may be none of JSON.
            Num::Dec(decimal) => serde_json::from_str::<f64>(decimal).is_ok_and(f64::is_finite),
        };
        if !is_writable {
            return Err(Unwritable::NotJson);
        }
        write!(self.out, "{number}").expect("writing to a Vec");
        Ok(())
    }
}

/// A text in quotes.
pub(super) fn write_text(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Unwritable> {
    if text.len() > LINE_BYTES_MAX {
        return Err(Unwritable::TooLarge);
    }
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.extend(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            byte @ (b'"' | b'\\') => out.extend([b'\\', byte]),
            byte => write!(out, "\\u{byte:04x}").expect("writing to a Vec"),
        }
        rest = &rest[at + 1..];
    }
    out.extend(rest);
    out.push(b'"');
    Ok(())
}
