//! Numbers that a report may hold. One that was made by hand or is damaged could hold others, which nobody can add up.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// No run reads so many documents or bytes, or takes so many seconds; thousands of them can be added up.
const NUMBER_MAX: u64 = 1_000_000_000_000_000;

/// Samples of hashes, which are as large as they like.
const HASHES: &str = "sketch";

/// JSON of which no number is one that no run can have.
pub(super) struct PossibleNumbers;

impl<'de> Deserialize<'de> for PossibleNumbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visit)
    }
}

struct Visit;

impl<'de> Visitor<'de> for Visit {
    type Value = PossibleNumbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<PossibleNumbers, E> {
        Ok(PossibleNumbers)
    }

    fn visit_unit<E>(self) -> Result<PossibleNumbers, E> {
        Ok(PossibleNumbers)
    }

    fn visit_str<E>(self, _: &str) -> Result<PossibleNumbers, E> {
        Ok(PossibleNumbers)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PossibleNumbers, E> {
        if number <= NUMBER_MAX { Ok(PossibleNumbers) } else { Err(impossible()) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<PossibleNumbers, E> {
        if number.unsigned_abs() <= NUMBER_MAX { Ok(PossibleNumbers) } else { Err(impossible()) }
    }

    #[expect(clippy::cast_precision_loss, reason = "it has less than 53 bits")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<PossibleNumbers, E> {
        if number.abs() <= NUMBER_MAX as f64 { Ok(PossibleNumbers) } else { Err(impossible()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PossibleNumbers, A::Error> {
        while items.next_element::<PossibleNumbers>()?.is_some() {}
        Ok(PossibleNumbers)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<PossibleNumbers, A::Error> {
        while let Some(name) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            if name == HASHES {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value::<PossibleNumbers>()?;
            }
        }
        Ok(PossibleNumbers)
    }
}

fn impossible<E: Error>() -> E {
    E::custom("a number that no run can have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_run_can_have_are_refused() {
        for (json, is_fine) in [
            (r#"{"a": [1, -1, 0.5, null, true, "x", {"b": 1000000000000000}]}"#, true),
            (
                r#"{"sketch": {"bound": 18446744073709551615, "ids": [[18446744073709551615, 1, 1, false]]}}"#,
                true,
            ),
            (r#"{"a": 1000000000000001}"#, false),
            (r#"{"a": [{"b": 18446744073709551615}]}"#, false),
            (r#"{"a": -9223372036854775808}"#, false),
            (r#"{"a": 1e308}"#, false),
            (r#"{"a": -1e16}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<PossibleNumbers>(json).is_ok(), is_fine, "{json}");
        }
    }
}
