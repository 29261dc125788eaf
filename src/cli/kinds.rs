//! Kinds of faults that `--max-rejects` limits. A misspelt one would limit nothing, so it is refused.

/// Codes that documents are rejected with, but for `db:` with an SQLSTATE.
const CODES: &[(&str, &[&str])] = &[
    (
        "json",
        &[
            "duplicate_key",
            "invalid_utf8",
            "line_too_long",
            "lone_surrogate",
            "not_object",
            "syntax",
            "too_deep",
            "too_many_values",
            "trailing_data",
        ],
    ),
    ("map", &["error", "limit", "many", "not_json", "not_object"]),
    // Keywords as the validator names them.
    (
        "schema",
        &[
            "$ref",
            "additionalItems",
            "additionalProperties",
            "anyOf",
            "const",
            "contains",
            "contentEncoding",
            "contentMediaType",
            "enum",
            "exclusiveMaximum",
            "exclusiveMinimum",
            "falseSchema",
            "format",
            "maxItems",
            "maxLength",
            "maxProperties",
            "maximum",
            "minItems",
            "minLength",
            "minProperties",
            "minimum",
            "multipleOf",
            "not",
            "oneOf",
            "pattern",
            "propertyNames",
            "required",
            "type",
            "undecided",
            "unevaluatedItems",
            "unevaluatedProperties",
            "unexplained",
            "uniqueItems",
        ],
    ),
    ("db", &["enum", "no_column", "nul", "required", "suppressed", "too_long", "type", "unique"]),
    ("load", &["duplicate", "exists"]),
    ("report", &["more_faults"]),
];

/// The code and the pointer of a kind, as reports have them: `schema:format /emails/*`.
pub(super) fn kind(text: &str) -> Result<(String, Option<String>), String> {
    let (code, pointer) = match text.trim().split_once(' ') {
        Some((code, pointer)) => (code, Some(pointer.trim().to_owned())),
        None => (text.trim(), None),
    };
    let codes = code.split_once(':').and_then(|(family, rule)| {
        CODES.iter().find(|(known, _)| *known == family).map(|(_, rules)| (family, rule, *rules))
    });
    let Some((family, rule, rules)) =
        codes.filter(|_| pointer.as_ref().is_none_or(|pointer| pointer.starts_with('/')))
    else {
        return Err("name a kind of fault as reports do, such as 'schema:format /emails/*=0.5%'".to_owned());
    };
    if rules.contains(&rule) || family == "db" && is_sqlstate(rule) {
        return Ok((code.to_owned(), pointer));
    }
    let nearest = rules.iter().map(|known| (strsim::jaro_winkler(known, rule), known));
    let (likeness, nearest) = nearest.max_by(|(a, _), (b, _)| a.total_cmp(b)).expect("each has some");
    Err(if likeness > 0.7 {
        format!("no fault has this code; did you mean {family}:{nearest}?")
    } else {
        format!("no fault has this code; docs/codes.md lists those there are, {family}:{nearest} for one")
    })
}

fn is_sqlstate(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_documentation_is_a_kind() {
        let table = include_str!("../../docs/codes.md").lines().filter(|line| line.starts_with("| `"));
        let cells = table.filter_map(|line| line.split(" | ").next());
        let codes: Vec<_> =
            cells.flat_map(|cell| cell.split('`')).filter(|code| code.contains(':')).collect();
        assert!(codes.len() > 25, "{codes:?}");
        for code in codes.into_iter().filter(|code| !code.contains('<')) {
            assert_eq!(kind(code), Ok((code.to_owned(), None)));
        }
    }

    #[test]
    fn what_limits_nothing_is_refused() {
        let fine = |text, code: &str, pointer: Option<&str>| {
            assert_eq!(kind(text), Ok((code.to_owned(), pointer.map(str::to_owned))));
        };
        fine("schema:format /emails/*", "schema:format", Some("/emails/*"));
        fine(" db:23514 ", "db:23514", None);
        for (text, expected) in [
            ("schema:fromat", "did you mean schema:format?"),
            ("schema:Format", "did you mean schema:format?"),
            ("schema:pattern ", ""),
            ("json:not_an_object", "did you mean json:not_object?"),
            ("db:23", "docs/codes.md lists those"),
            ("db:2351e", "docs/codes.md lists those"),
            ("schema:", "docs/codes.md lists those"),
            ("format", "as reports do"),
            ("schema:format emails", "as reports do"),
        ] {
            match kind(text) {
                Err(words) => assert!(words.contains(expected), "{text}: {words}"),
                Ok(_) => assert!(expected.is_empty(), "{text}"),
            }
        }
    }
}
