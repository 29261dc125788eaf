//! The properties that a schema speaks of, and which of them a misspelt one is probably meant to be.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde_json::Value;

/// Longest unknown name that is compared with those of the schema, and how many of an object's are.
const GUESSED_NAME_BYTES_MAX: usize = 64;
const GUESSED_NAMES_MAX: usize = 100;

/// Jaro-Winkler similarity of the plain forms of names that are taken for the same one.
const LIKENESS_MIN: f64 = 0.9;

/// Most characters at the beginning of two names that the similarity counts.
const PREFIX_MAX: usize = 4;

/// How many misspelt names are remembered.
const REMEMBERED_MAX: usize = 1000;

/// Every property name that a schema itself speaks of, and its plain form.
#[derive(Debug)]
pub(super) struct Meant {
    names: BTreeMap<String, String>,
}

/// Names that were looked up before: an export misspells a name in all of its documents.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// How similar the most similar name is, and its place among all.
    names: HashMap<String, Option<(f64, usize)>, RandomState>,
}

impl Meant {
    pub(super) fn of_schema(schema: &Value) -> Self {
        let mut names = BTreeMap::new();
        collect_names(schema, &mut names);
        Self { names }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// All of them.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The property that one of these is probably meant to be, as its place among all.
    pub(super) fn best<'n>(
        &self,
        unexpected: impl IntoIterator<Item = &'n str>,
        remembered: &mut Remembered,
    ) -> Option<usize> {
        let is_short = |name: &&str| name.len() <= GUESSED_NAME_BYTES_MAX;
        let short = unexpected.into_iter().filter(is_short).take(GUESSED_NAMES_MAX);
        let meant = short.filter_map(|name| self.remember(name, remembered));
        let best = meant.max_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        best.map(|(_, at)| at)
    }

    /// Names the property that is probably meant, never the one that stands there.
    pub(super) fn message(&self, unexpected: &[String], remembered: &mut Remembered) -> String {
        let best = self.best(unexpected.iter().map(String::as_str), remembered);
        message_of(best.and_then(|at| self.names().nth(at)))
    }

    fn remember(&self, unexpected: &str, remembered: &mut Remembered) -> Option<(f64, usize)> {
        if let Some(meant) = remembered.names.get(unexpected) {
            return *meant;
        }
        if remembered.names.len() == REMEMBERED_MAX {
            remembered.names.clear();
        }
        let meant = self.meant(unexpected);
        remembered.names.insert(unexpected.to_owned(), meant);
        meant
    }

    fn meant(&self, unexpected: &str) -> Option<(f64, usize)> {
        let unexpected = plain(unexpected);
        let mut best: Option<(f64, usize)> = None;
        for (at, plain) in self.names.values().enumerate() {
            let least = best.map_or(LIKENESS_MIN, |(likeness, _)| likeness);
            if may_be_like(&unexpected, plain, least) {
                let likeness = strsim::jaro_winkler(&unexpected, plain);
                if likeness >= least {
                    // Of equally similar names the last in their order.
                    best = Some((likeness, at));
                }
            }
        }
        best
    }
}

/// Of a property that the schema does not know.
pub(super) fn message_of(meant: Option<&str>) -> String {
    match meant {
        Some(name) => format!("has a property that the schema does not know (is `{name}` meant?)"),
        None => "has a property that the schema does not know".to_owned(),
    }
}

/// Whether two texts can be as similar as that: asked first, since the answer is mostly no, and quick.
///
/// The Jaro similarity is a third of `m/|a| + m/|b| + (m-t)/m`, where m characters match; what has no equal on the other
/// side does not. Winkler adds a tenth of what is missing for each common character at the beginning.
fn may_be_like(a: &str, b: &str, likeness: f64) -> bool {
    if !a.is_ascii() || !b.is_ascii() || a.is_empty() || b.is_empty() {
        return true;
    }
    let letters = |text: &str| text.bytes().fold(0_u128, |letters, byte| letters | 1 << byte);
    let (letters_a, letters_b) = (letters(a), letters(b));
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let unmatched = |these: u128, those: u128| (these & !those).count_ones();
    let (length_a, length_b) = (number(a.len()), number(b.len()));
    let matches =
        (length_a - unmatched(letters_a, letters_b)).min(length_b - unmatched(letters_b, letters_a));
    let prefix = number(a.bytes().zip(b.bytes()).take(PREFIX_MAX).take_while(|(a, b)| a == b).count());
    let share = |length: u32| f64::from(matches) / f64::from(length);
    let jaro = (share(length_a) + share(length_b) + 1.0) / 3.0;
    jaro + f64::from(prefix) * 0.1 * (1.0 - jaro) >= likeness - 1e-9
}

/// A name as it is compared: in lower case without separators.
fn plain(name: &str) -> String {
    let is_letter = |c: &char| !matches!(c, '_' | '-' | ' ');
    if name.is_ascii() {
        return name.chars().filter(is_letter).map(|c| c.to_ascii_lowercase()).collect();
    }
    name.replace(['_', '-', ' '], "").to_lowercase()
}

/// The keys under every `properties`, and the strings of every `required`.
fn collect_names(schema: &Value, names: &mut BTreeMap<String, String>) {
    let named = |name: &str| (name.to_owned(), plain(name));
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().map(|name| named(name)));
            }
            if let Some(Value::Array(required)) = object.get("required") {
                names.extend(required.iter().filter_map(|name| name.as_str().map(named)));
            }
            object.values().for_each(|inner| collect_names(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_names(inner, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BUILT_IN_SCHEMA;

    fn built_in() -> Meant {
        Meant::of_schema(&serde_json::from_str(BUILT_IN_SCHEMA).unwrap())
    }

    #[test]
    fn a_misspelt_property_is_guessed() {
        let remembered = &mut Remembered::default();
        let mut guess = |name: &str| built_in().message(&[name.to_owned()], remembered);
        assert!(guess("first_name").contains("`firstName`"));
        assert!(guess("postalcode").contains("`postalCode`"));
        assert!(!guess("ann@example.com").contains("meant"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_compared_is_not_like(
            a in "[a-e]{1,12}|[a-zé]{1,12}",
            b in "[a-e]{1,12}|[a-z]{1,12}",
            cut in 0..4_usize,
        ) {
            let shortened = &a.chars().skip(cut).collect::<String>();
            for (a, b) in [(&a, &b), (&a, shortened), (shortened, &a)] {
                for likeness in [LIKENESS_MIN, 0.95, 1.0] {
                    if strsim::jaro_winkler(a, b) >= likeness {
                        proptest::prop_assert!(may_be_like(a, b, likeness));
                    }
                }
            }
        }
    }
}
