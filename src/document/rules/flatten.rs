//! All schema objects that apply to one place of a document, whatever refers to them.

use jsonschema::Draft;
use serde_json::{Map, Value};

/// How many references are followed to reach what applies.
const REFERENCES_MAX: usize = 64;

/// How many schemas may apply to one place.
const OBJECTS_MAX: usize = 100;

/// Keywords that ask for nothing, wherever they stand.
const SILENT: [&str; 10] = [
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "readOnly",
    "writeOnly",
    "deprecated",
    "definitions",
    "$defs",
];

/// Keywords that ask for nothing at the root of a schema: the dialect is known there, and nothing else has a name.
const SILENT_AT_ROOT: [&str; 3] = ["$schema", "$id", "id"];

/// Why a schema has no rules: what stands in it that they can't express.
pub(super) type Reason = String;

/// A schema, and where references in it lead.
pub(super) struct Source<'s> {
    pub(super) root: &'s Value,
    pub(super) draft: Draft,
}

/// What applies to a place together.
#[derive(Default)]
pub(super) struct Applied<'s> {
    pub(super) objects: Vec<&'s Map<String, Value>>,
    /// Whether nothing is valid there.
    pub(super) is_false: bool,
}

impl<'s> Source<'s> {
    pub(super) fn applied(&self, schemas: &[&'s Value]) -> Result<Applied<'s>, Reason> {
        let mut applied = Applied::default();
        schemas.iter().try_for_each(|schema| self.add(schema, 0, &mut applied))?;
        Ok(applied)
    }

    fn add(&self, schema: &'s Value, references: usize, applied: &mut Applied<'s>) -> Result<(), Reason> {
        let object = match schema {
            Value::Bool(allows) => {
                applied.is_false |= !allows;
                return Ok(());
            }
            Value::Object(object) => object,
            _ => return Err("a schema that is neither an object nor a boolean".to_owned()),
        };
        if references > REFERENCES_MAX {
            return Err("references that lead in a circle".to_owned());
        }
        if let Some(reference) = object.get("$ref") {
            self.add(self.target(reference)?, references + 1, applied)?;
            // Before draft 2019-09, what stands beside a reference is ignored.
            if matches!(self.draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7) {
                return Ok(());
            }
        }
        if let Some(all) = object.get("allOf") {
            let all = all.as_array().ok_or("an `allOf` that is no array")?;
            all.iter().try_for_each(|schema| self.add(schema, references + 1, applied))?;
        }
        if applied.objects.len() == OBJECTS_MAX {
            return Err("more schemas for one place than can be looked at".to_owned());
        }
        applied.objects.push(object);
        Ok(())
    }

    fn target(&self, reference: &Value) -> Result<&'s Value, Reason> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let pointer = pointer.filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = pointer.filter(|pointer| !pointer.contains('%'));
        let pointer = pointer.ok_or_else(|| "a `$ref` that is no pointer into the schema".to_owned())?;
        let mut place = self.root;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            place = match place {
                Value::Object(object) => object.get(&name),
                Value::Array(items) => name.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            }
            .ok_or_else(|| "a `$ref` to nothing".to_owned())?;
            // References within such a schema are relative to it.
            if ["$id", "id"].iter().any(|id| place.get(id).is_some_and(Value::is_string)) {
                return Err("a `$ref` into a schema with an `$id` of its own".to_owned());
            }
        }
        Ok(place)
    }

    /// Whether all keywords are of these, or ask for nothing.
    pub(super) fn only(&self, applied: &Applied<'s>, keywords: &[&str], place: &str) -> Result<(), Reason> {
        for object in &applied.objects {
            let is_root = self.root.as_object().is_some_and(|root| std::ptr::eq(root, *object));
            let is_known = |keyword: &str| {
                keywords.contains(&keyword)
                    || SILENT.contains(&keyword)
                    || ["$ref", "allOf"].contains(&keyword)
                    || is_root && SILENT_AT_ROOT.contains(&keyword)
                    || keyword.starts_with("x-")
            };
            if let Some(other) = object.keys().find(|keyword| !is_known(keyword)) {
                return Err(format!("`{other}` {place}"));
            }
        }
        Ok(())
    }
}

impl<'s> Applied<'s> {
    /// The values of a keyword.
    pub(super) fn values(&self, keyword: &'s str) -> impl Iterator<Item = &'s Value> {
        self.objects.iter().filter_map(move |object| object.get(keyword))
    }

    /// What applies to a property.
    pub(super) fn property(&self, name: &str) -> Vec<&'s Value> {
        let of = |object: &&'s Map<String, Value>| {
            let named = object.get("properties").and_then(|properties| properties.get(name));
            named.or_else(|| object.get("additionalProperties"))
        };
        self.objects.iter().filter_map(of).collect()
    }

    /// Whether values of a JSON type may be valid, as far as `type`, `enum` and `const` say.
    pub(super) fn allows(&self, kind: &str) -> bool {
        let names = |value: &Value| match value {
            Value::String(name) => name == kind,
            Value::Array(names) => names.iter().any(|name| name == kind),
            _ => false,
        };
        !self.is_false && self.values("type").all(names)
    }

    /// Whether a value that stands for itself is valid.
    pub(super) fn allows_value(&self, kind: &str, value: &Value) -> bool {
        let is_listed = |list: &Value| list.as_array().is_some_and(|list| list.contains(value));
        self.allows(kind)
            && self.values("enum").all(is_listed)
            && self.values("const").all(|constant| constant == value)
    }

    /// The most of what a keyword says.
    pub(super) fn most_of(&self, keyword: &'s str) -> Result<Option<u64>, Reason> {
        let numbers: Result<Vec<_>, _> = self.values(keyword).map(|value| whole(value, keyword)).collect();
        Ok(numbers?.into_iter().max())
    }

    pub(super) fn least_of(&self, keyword: &'s str) -> Result<Option<u64>, Reason> {
        let numbers: Result<Vec<_>, _> = self.values(keyword).map(|value| whole(value, keyword)).collect();
        Ok(numbers?.into_iter().min())
    }
}

fn whole(value: &Value, keyword: &str) -> Result<u64, Reason> {
    value.as_u64().ok_or_else(|| format!("a `{keyword}` that is no whole number"))
}
