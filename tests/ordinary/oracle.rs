//! What others say of a document: serde_json of its syntax, and jsonschema of the value that serde_json makes of it.

use jsonschema::{EmailOptions, Validator};
use profile_loader::internals::document::Fault;
use serde_json::Value;

pub(crate) struct Oracle {
    validator: Validator,
}

impl Oracle {
    pub(crate) fn of_schema(schema: &str) -> Self {
        let schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
        let is_uuid = |text: &str| {
            let is_digit = |(at, byte): (usize, u8)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            };
            text.len() == 36 && text.bytes().enumerate().all(is_digit)
        };
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_format("uuid", is_uuid)
            .with_email_options(EmailOptions::default().without_display_text())
            .build(&schema)
            .expect("a schema that the program accepts");
        Self { validator }
    }

    /// Holds the faults that were found in a line against what should be found.
    pub(crate) fn compare(&self, line: &[u8], faults: &[Fault]) {
        let words = || format!("{} {faults:?}", String::from_utf8_lossy(line));
        let has = |code: &str| faults.iter().any(|fault| fault.code == code);
        let has_only = |code: &str| faults.len() == 1 && faults[0].code.starts_with(code);
        let Ok(text) = std::str::from_utf8(line) else {
            return assert!(has_only("json:invalid_utf8"), "{}", words());
        };
        let document: Value = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(_) => return assert!(has_only("json:"), "{}", words()),
        };
        if !document.is_object() {
            return assert!(has_only("json:not_object"), "{}", words());
        }
        if has("json:too_many_values") || has("json:line_too_long") || has("report:more_faults") {
            return;
        }
        let errors = self.validator.iter_errors(&document);
        let mut expected: Vec<_> = errors
            .map(|error| (format!("schema:{}", error.kind().keyword()), error.schema_path().to_string()))
            .collect();
        let schema_faults = faults.iter().filter(|fault| fault.code.starts_with("schema:"));
        let mut found: Vec<_> =
            schema_faults.map(|fault| (fault.code.to_string(), fault.schema_path.clone())).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", words());
    }
}
