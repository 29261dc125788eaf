//! What a code means to somebody who knows the export and not this program, and what fixes it.

/// What it means, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) words: &'static str,
    pub(crate) fix: &'static str,
}

/// Codes, what they mean, what fixes them.
#[rustfmt::skip]
const MEANINGS: &[(&str, &str, &str)] = &[
    ("json:invalid_utf8", "The line holds bytes that are not UTF-8.", "Export as UTF-8, or convert the file (iconv -f WINDOWS-1252 -t UTF-8)."),
    ("json:syntax", "The line is not JSON.", "Write each document as one line of JSON, with a JSON library."),
    ("json:trailing_data", "Something else follows the document on its line.", "End the line behind each document."),
    ("json:too_many_values", "The document holds more than 100,000 values.", "Look for lists that run on."),
    ("schema:required", "A property that has to be there is missing.", "Write it, or leave these documents out."),
    ("schema:format", "A text does not have the form that it has to have.", "Correct it at its source."),
    ("schema:unexplained", "The document breaks the JSON Schema, whose nested anyOf and oneOf do not let it be said where.", "Give the schema fewer alternatives inside each other."),
    ("report:more_faults", "The document has more faults than are listed.", "Fix those listed, and check again."),
    ("json:not_object", "The line is JSON, but not an object.", "Write one object a line; of an array its items (jq -c '.[]')."),
    ("json:duplicate_key", "A key stands twice in one object, and programs differ in which of the two they take.", "Write each property once."),
    ("json:too_deep", "Arrays and objects are nested more than 128 deep.", "Write the flat form."),
    ("json:lone_surrogate", "A text holds half of a surrogate pair, which is no character.", "Do not cut texts in the middle of a character."),
    ("json:line_too_long", "The line is longer than 16 MiB.", "Look for a missing line end."),
    ("map:error", "The map fails on the document: it finds another shape than it was made for.", "Look at it with profile-loader map; let the map take the other shape (.a?, //, select), or drop it (empty)."),
    ("map:many", "The map makes several documents of one.", "Let it make one; what holds several has to be split before."),
    ("map:not_object", "The map makes something else than an object.", "Let it make an object, or drop the document (empty)."),
    ("map:not_json", "The map makes something that JSON does not have: no number, bytes, or a name that is no text.", "Look at it with profile-loader map."),
    ("map:limit", "The map does more for the document than it may: steps, nesting, or length.", "Look for a loop that does not end, or for a document that is much larger than the others."),
    ("schema:type", "A value has another JSON type than it has to have; null counts as one.", "Write the right type; leave a property out in place of null."),
    ("schema:pattern", "A text does not match the pattern.", "Correct it at its source."),
    ("schema:enum", "A value is none of those allowed.", "Map it to one of them."),
    ("schema:const", "A value is none of those allowed.", "Map it to one of them."),
    ("schema:minLength", "A text is shorter or longer than allowed.", "Leave an empty property out; cut or correct long ones at their source."),
    ("schema:maxLength", "A text is shorter or longer than allowed.", "Leave an empty property out; cut or correct long ones at their source."),
    ("schema:minItems", "A list has fewer or more items than allowed.", "Leave an empty list out where it may be missing."),
    ("schema:maxItems", "A list has fewer or more items than allowed.", "Leave an empty list out where it may be missing."),
    ("schema:uniqueItems", "A list holds the same item twice.", "Write each item once."),
    ("schema:additionalProperties", "A property is there that the schema does not know: misspelt, or without a place in the tables.", "Rename it or leave it out."),
    ("schema:unevaluatedProperties", "A property is there that the schema does not know: misspelt, or without a place in the tables.", "Rename it or leave it out."),
    ("schema:undecided", "A pattern of the JSON Schema gives up on the value, which may be right.", "Write the pattern without nested repetition or lookaround."),
    ("db:nul", "A text holds U+0000, which PostgreSQL can't store.", "Take the character out."),
    ("db:too_long", "A text is longer than its column.", "Correct it at its source."),
    ("db:suppressed", "A trigger of the database's owner kept rows from being written.", "Ask the database's owner which trigger that is and what it wants."),
    ("load:exists", "A profile with this id is stored already and differs.", "Load with --on-existing update or skip, if that is what is meant."),
    ("load:duplicate", "An earlier document of this input has the same id and differs.", "Decide which one counts, or load with --on-existing update: the later one wins."),
];

/// Codes of a kind that have no meaning of their own.
#[rustfmt::skip]
const KINDS: &[(&str, &str, &str)] = &[
    ("json", "The line is not a JSON document as it has to be.", "Correct it at its source."),
    ("schema", "The document breaks this rule of the JSON Schema.", "Correct it at its source."),
    ("map", "The map makes no document of it.", "Look at it with profile-loader map."),
    ("db", "The document passes the JSON Schema, but the tables or their owner's rules refuse it.", "The message names the column or constraint; correct the document, or ask the database's owner."),
];

/// Of any code; those that have no words of their own get what holds of their kind.
pub(crate) fn meaning(code: &str) -> Meaning {
    let kind = code.split_once(':').map_or("", |(kind, _)| kind);
    let found = MEANINGS.iter().find(|(known, ..)| *known == code);
    let (_, words, fix) = found.or_else(|| KINDS.iter().find(|(known, ..)| *known == kind)).unwrap_or(&(
        "",
        "The document is refused.",
        "The message says why.",
    ));
    Meaning { words, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_documentation_has_a_meaning() {
        let codes = include_str!("../../docs/codes.md");
        let rows = codes.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let mut count = 0;
        for (code, _) in rows.filter(|(code, _)| code.contains(':') && !code.contains(['<', '`'])) {
            assert!(MEANINGS.iter().any(|(known, ..)| *known == code), "{code}");
            count += 1;
        }
        assert!(count >= 15, "{count}");
    }
}
