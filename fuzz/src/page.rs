//! A page as a browser reads it: which elements and attributes it has.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};

/// Elements and attributes, as `element` and `element attribute`.
pub type Parts = BTreeSet<String>;

/// What a page is made of. Every element has to be closed where it ends, and no attribute refers to anything elsewhere.
pub fn parts(page: &str) -> Parts {
    const VOID: [&[u8]; 2] = [b"meta", b"br"];
    let mut parts = Parts::new();
    let mut open: Vec<Vec<u8>> = Vec::new();
    for token in Tokenizer::new(page) {
        match token.expect("a text can be read") {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                for (attribute, value) in &tag.attributes {
                    let attribute = String::from_utf8_lossy(attribute);
                    assert!(!attribute.starts_with("on"), "nothing runs");
                    if ["href", "src"].contains(&&*attribute) {
                        assert!(value.starts_with(b"#"), "nothing is asked for");
                    }
                    parts.insert(format!("{name} {attribute}"));
                }
                parts.insert(name);
                if !tag.self_closing && !VOID.contains(&&**tag.name) {
                    open.push(tag.name.to_vec());
                }
            }
            Token::EndTag(tag) => {
                let name = open.pop();
                assert_eq!(name.as_deref(), Some(&**tag.name), "elements are closed in their order");
            }
            Token::String(text) => {
                let text = str::from_utf8(&text).expect("a page is UTF-8");
                let is_hidden =
                    |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
                assert!(!text.contains(is_hidden), "what is read shows all of itself");
            }
            Token::Comment(_) => panic!("a page has no comments"),
            Token::Doctype(_) => {}
            Token::Error(error) => panic!("{error:?}"),
        }
    }
    assert!(open.is_empty(), "all elements are closed");
    parts
}
