//! What form a value has, never what it is: enough to see what is wrong with it, nothing of a customer.

use std::{borrow::Cow, fmt::Write as _};

use super::tree::{Kind, Node};

/// Longest form of a text, in characters; forms of sentences say no more.
const CHARS_MAX: usize = 24;

/// How much of a text is looked at.
const LOOKED_AT: usize = 200;

pub(super) fn value_shape(value: Node<'_>) -> Cow<'static, str> {
    let plural =
        |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    match value.kind() {
        Kind::Null => "null".into(),
        Kind::Boolean(_) => "boolean".into(),
        Kind::Number(number) if number.is_f64() => "number with a fraction".into(),
        Kind::Number(number) => {
            let digits = number.to_string().trim_start_matches('-').len();
            format!("integer of {}", plural(digits, "digit", "digits")).into()
        }
        Kind::Text(text) => text_shape(text),
        Kind::Array(items) => format!("array of {}", plural(*items, "item", "items")).into(),
        Kind::Object(members) => format!("object of {}", plural(*members, "property", "properties")).into(),
    }
}

/// Letters as `A` and `a`, digits as `9`, each run of them once; ASCII punctuation as it is.
pub(super) fn text_shape(text: &str) -> Cow<'static, str> {
    if text.is_empty() {
        return "empty string".into();
    }
    let mut shape = String::with_capacity(SHAPE_BYTES);
    shape.push('"');
    let (mut last, mut length, mut runs, mut looked_at) = (None, 0, 0, text.chars());
    for char in looked_at.by_ref().take(LOOKED_AT) {
        length += 1;
        let class = class_of(char);
        if last == Some(class) {
            continue;
        }
        if runs == CHARS_MAX {
            shape.push('…');
            break;
        }
        shape.push(class);
        (last, runs) = (Some(class), runs + 1);
    }
    length += looked_at.by_ref().take(LOOKED_AT - length).count();
    shape.push_str("\", string of ");
    if looked_at.next().is_some() {
        write!(shape, "more than {LOOKED_AT} characters").expect("writing to a String");
    } else {
        shape.push_str(&length.to_string());
        shape.push_str(if length == 1 { " character" } else { " characters" });
    }
    shape.into()
}

/// Room for most shapes.
const SHAPE_BYTES: usize = 64;

static ASCII_CLASSES: [u8; 128] = ascii_classes();

const fn ascii_classes() -> [u8; 128] {
    let mut classes = [b'?'; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'A'..=b'Z' => b'A',
            b'a'..=b'z' => b'a',
            b'0'..=b'9' => b'9',
            b'!'..=b'~' => byte,
            b' ' | b'\t'..=b'\r' => b' ',
            _ => b'?',
        };
        byte += 1;
    }
    classes
}

fn class_of(char: char) -> char {
    match char {
        '\0'..='\x7f' => u8::try_from(char).map_or(char, |byte| char::from(ASCII_CLASSES[usize::from(byte)])),
        _ if char.is_uppercase() => 'A',
        _ if char.is_alphabetic() => 'a',
        _ if char.is_numeric() => '9',
        _ if char.is_whitespace() => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tree::testing::with_tree;

    #[test]
    fn forms_hold_no_value() {
        let check = |value: &Value, expected: &str| {
            with_tree(value, |value| assert_eq!(value_shape(value), expected));
        };
        check(&json!("Main 12-4"), "\"Aa 9-9\", string of 9 characters");
        check(&json!("fax"), "\"a\", string of 3 characters");
        check(&json!("Ζωή\u{202e}💥\u{7}"), "\"Aa?\", string of 6 characters");
        check(&json!(""), "empty string");
        check(&json!("x"), "\"a\", string of 1 character");
        check(
            &json!("a-".repeat(500)),
            &format!("\"{}…\", string of more than 200 characters", "a-".repeat(12)),
        );
        check(&json!(null), "null");
        check(&json!(-120), "integer of 3 digits");
        check(&json!(1.5), "number with a fraction");
        check(&json!([1]), "array of 1 item");
        check(&json!({"a": 1, "b": 2}), "object of 2 properties");
    }
}
