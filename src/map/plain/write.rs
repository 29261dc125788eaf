//! What a plain filter has made to JSON text, within the limits of a document.

use std::io::Write as _;

use super::value::{Answer, Text, Unsure, Value, short};
use crate::{
    document::{DEPTH_MAX, Kind, LINE_BYTES_MAX, Node, VALUES_MAX},
    map::text::write_text,
};

pub(super) fn write(value: &Value<'_>, out: &mut Vec<u8>) -> Answer<()> {
    Writer { out, values: 0 }.value(value, 1)?;
    short(out.len(), LINE_BYTES_MAX)
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    values: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value<'_>, depth: usize) -> Answer<()> {
        self.begin(depth)?;
        match value {
            Value::Null => self.out.extend(b"null"),
            Value::Boolean(true) => self.out.extend(b"true"),
            Value::Boolean(false) => self.out.extend(b"false"),
            Value::Integer(integer) => self.integer(*integer),
            Value::Text(text) => self.text(text.as_str())?,
            Value::Given(node) => self.given(*node, depth)?,
            Value::Array(items) => {
                self.list([b'[', b']'], items.iter(), |writer, item| writer.value(item, depth + 1))?;
            }
            Value::Object(members) => {
                let member = |writer: &mut Self, (name, value): &(Text<'_>, Value<'_>)| {
                    writer.text(name.as_str())?;
                    writer.out.push(b':');
                    writer.value(value, depth + 1)
                };
                self.list([b'{', b'}'], members.iter(), member)?;
            }
        }
        Ok(())
    }

    /// A part of the document as it stands there.
    fn given(&mut self, node: Node<'_>, depth: usize) -> Answer<()> {
        match node.kind() {
            Kind::Null => self.out.extend(b"null"),
            Kind::Boolean(true) => self.out.extend(b"true"),
            Kind::Boolean(false) => self.out.extend(b"false"),
            Kind::Number(number) => self.integer(number.as_i64().ok_or(Unsure)?),
            Kind::Text(text) => self.text(text)?,
            Kind::Array(_) => {
                let item = |writer: &mut Self, item| {
                    writer.begin(depth + 1)?;
                    writer.given(item, depth + 1)
                };
                self.list([b'[', b']'], node.items(), item)?;
            }
            Kind::Object(_) => {
                let member = |writer: &mut Self, (name, value): (&str, _)| {
                    writer.text(name)?;
                    writer.out.push(b':');
                    writer.begin(depth + 1)?;
                    writer.given(value, depth + 1)
                };
                self.list([b'{', b'}'], node.members(), member)?;
            }
        }
        Ok(())
    }

    /// Whether one more value may be there.
    fn begin(&mut self, depth: usize) -> Answer<()> {
        self.values += 1;
        let is_too_large = self.values > VALUES_MAX || depth > DEPTH_MAX || self.out.len() > LINE_BYTES_MAX;
        if is_too_large { Err(Unsure) } else { Ok(()) }
    }

    fn list<T>(
        &mut self,
        [open, close]: [u8; 2],
        of: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Answer<()>,
    ) -> Answer<()> {
        self.out.push(open);
        let begin = self.out.len();
        for one in of {
            if self.out.len() > begin {
                self.out.push(b',');
            }
            write(self, one)?;
        }
        self.out.push(close);
        Ok(())
    }

    fn integer(&mut self, integer: i64) {
        write!(self.out, "{integer}").expect("writing to a Vec");
    }

    fn text(&mut self, text: &str) -> Answer<()> {
        write_text(self.out, text.as_bytes()).map_err(|_| Unsure)
    }
}
