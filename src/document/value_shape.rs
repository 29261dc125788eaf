//! What form a value has, never what it is: enough to see what is wrong with it, nothing of a customer.

use super::tree::{Kind, Node};

/// Longest form of a text, in characters; forms of sentences say no more.
const CHARS_MAX: usize = 24;

/// How much of a text is looked at.
const LOOKED_AT: usize = 200;

pub(super) fn value_shape(value: Node<'_>) -> String {
    let plural =
        |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    match value.kind() {
        Kind::Null => "null".to_owned(),
        Kind::Boolean(_) => "boolean".to_owned(),
        Kind::Number(number) if number.is_f64() => "number with a fraction".to_owned(),
        Kind::Number(number) => {
            let digits = number.to_string().trim_start_matches('-').len();
            format!("integer of {}", plural(digits, "digit", "digits"))
        }
        Kind::Text(text) => text_shape(text),
        Kind::Array(items) => format!("array of {}", plural(*items, "item", "items")),
        Kind::Object(members) => format!("object of {}", plural(*members, "property", "properties")),
    }
}

/// Letters as `A` and `a`, digits as `9`, each run of them once; ASCII punctuation as it is.
pub(super) fn text_shape(text: &str) -> String {
    let length = text.chars().take(LOOKED_AT + 1).count();
    let mut form = String::new();
    let (mut last, mut chars) = (None, 0);
    for char in text.chars().take(LOOKED_AT) {
        let class = class_of(char);
        if last == Some(class) {
            continue;
        }
        if chars == CHARS_MAX {
            form.push('…');
            break;
        }
        form.push(class);
        (last, chars) = (Some(class), chars + 1);
    }
    let characters = if length > LOOKED_AT {
        format!("more than {LOOKED_AT} characters")
    } else {
        format!("{length} character{}", if length == 1 { "" } else { "s" })
    };
    if length == 0 { "empty string".to_owned() } else { format!("\"{form}\", string of {characters}") }
}

fn class_of(char: char) -> char {
    match char {
        _ if char.is_uppercase() => 'A',
        _ if char.is_alphabetic() => 'a',
        _ if char.is_numeric() => '9',
        _ if char.is_whitespace() => ' ',
        '!'..='~' => char,
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
