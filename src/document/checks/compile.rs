//! A schema to checks, if it has none but the keywords that are known here.
//!
//! The order of checks is that of jsonschema 0.61: keywords of a schema by their price, members of an object as they come.
//! Property tests hold both against each other.

use std::sync::Arc;

use jsonschema::{Draft, JsonType, JsonTypeSet, error::TypeKind};
use serde_json::{Map, Value, json};

use super::{
    Assertion, Checks, Closed, Members, PROPERTIES_MAX, Place, Properties, Required, TextForm, Types,
};
use crate::{
    formats::{is_plain_email, is_plain_number},
    meant::{Meant, message_of},
    rejection::FaultKind,
    schema_message as words,
    uuid::parse_uuid,
    validator::validator_of,
};

/// Keywords that ask for nothing.
const SILENT: [&str; 11] = [
    "$schema",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "readOnly",
    "writeOnly",
    "deprecated",
    "definitions",
    "$defs",
];

/// How many places a schema may have, each reference counted with all that it leads to.
const PLACES_MAX: usize = 1000;

/// How many kinds of faults there may be for properties that a schema does not know.
const MEANT_MAX: usize = 20_000;

/// How deep places may lie in each other.
const DEPTH_MAX: usize = 16;

impl Checks {
    /// None where the schema asks for what is not known here.
    pub(crate) fn of_schema(schema: &Value, draft: Draft, names: &Meant) -> Option<Self> {
        let mut compiler = Compiler { root: schema, draft, names, places: 0, meant: 0 };
        let start = Site { schema_path: String::new(), pointer: vec![String::new()], depth: 0 };
        Some(Self { root: compiler.place(schema, start)? })
    }
}

struct Compiler<'s> {
    root: &'s Value,
    draft: Draft,
    names: &'s Meant,
    places: usize,
    meant: usize,
}

/// Where a schema stands, and of which place of the document it speaks.
#[derive(Clone)]
struct Site {
    schema_path: String,
    pointer: Vec<String>,
    depth: usize,
}

impl Site {
    fn kind(&self, keyword: &str, message: String) -> Arc<FaultKind> {
        Arc::new(
            FaultKind {
                code: words::code_of(keyword),
                group_pointer: self.pointer.join("*"),
                schema_path: format!("{}/{keyword}", self.schema_path),
                message: message.into(),
            }
            .shortened(),
        )
    }

    fn property(&self, name: &str) -> Self {
        let mut pointer = self.pointer.clone();
        let last = pointer.last_mut().expect("it begins with one");
        last.extend(["/", name]);
        let schema_path = format!("{}/properties/{name}", self.schema_path);
        Self { schema_path, pointer, depth: self.depth + 1 }
    }

    fn items(&self) -> Self {
        let mut pointer = self.pointer.clone();
        pointer.last_mut().expect("it begins with one").push('/');
        pointer.push(String::new());
        Self { schema_path: format!("{}/items", self.schema_path), pointer, depth: self.depth + 1 }
    }
}

impl<'s> Compiler<'s> {
    fn place(&mut self, schema: &'s Value, site: Site) -> Option<Place> {
        self.places += 1;
        if self.places > PLACES_MAX || site.depth > DEPTH_MAX {
            return None;
        }
        let object = match schema {
            Value::Bool(true) => return Some(Place::empty(&site)),
            Value::Object(object) => object,
            _ => return None,
        };
        if let Some(reference) = object.get("$ref") {
            // What stands beside a reference counts in some drafts and not in others.
            if object.keys().any(|key| key != "$ref" && !SILENT.contains(&key.as_str())) {
                return None;
            }
            let path = reference.as_str()?.strip_prefix('#')?;
            let (target, is_named) = (self.root.pointer(path)?, path.contains(['~', '%']));
            let has_id = target.get("$id").or(target.get("id")).is_some();
            if is_named || has_id || path.is_empty() {
                return None;
            }
            return self.place(target, Site { schema_path: path.to_owned(), depth: site.depth + 1, ..site });
        }
        let mut place = Place::empty(&site);
        let mut assertions = Vec::new();
        for (keyword, value) in object {
            match keyword.as_str() {
                "type" => place.types = Some(types(value, &site)?),
                "properties" | "required" | "additionalProperties" => {}
                "items" if ["enum", "const"].iter().any(|other| object.contains_key(*other)) => return None,
                "items" if !value.is_object() => return None,
                "items" => place.items = Some(Box::new(self.place(value, site.items())?)),
                "$id" | "id" if site.depth == 0 => {}
                "const" if self.draft == Draft::Draft4 => return None,
                known if SILENT.contains(&known) || known.starts_with("x-") => {}
                "uniqueItems" if value == &Value::Bool(false) => {}
                _ => assertions.push(self.assertion(keyword, value, &site)?),
            }
        }
        assertions.sort_by_key(|(price, ..)| *price);
        place.assertions = assertions.into_iter().map(|(_, assertion, kind)| (assertion, kind)).collect();
        place.members = match object.get("properties") {
            Some(properties) => Some(self.members(object, properties, &site)?),
            None if asks_for_members(object) => return None,
            None => None,
        };
        Some(place)
    }

    /// With the price of the keyword.
    fn assertion(
        &self,
        keyword: &str,
        value: &Value,
        site: &Site,
    ) -> Option<(u8, Assertion, Arc<FaultKind>)> {
        let number = || value.as_u64();
        let (price, assertion, message) = match keyword {
            "const" => (5, Assertion::OneOf(plain_values([value])?), words::one(value)),
            "enum" => (6, Assertion::OneOf(plain_values(value.as_array()?)?), words::one_of(value)),
            "minLength" => (20, Assertion::Length(number()?, u64::MAX), words::least(number()?, "character")),
            "maxLength" => (21, Assertion::Length(0, number()?), words::most(number()?, "character")),
            "minItems" => (22, Assertion::Items(number()?, u64::MAX), words::fewest(number()?, "item")),
            "maxItems" => (23, Assertion::Items(0, number()?), words::at_most(number()?, "item")),
            "minProperties" => (24, Assertion::Properties(number()?, u64::MAX), words::other(keyword)),
            "maxProperties" => (25, Assertion::Properties(0, number()?), words::other(keyword)),
            "pattern" => (30, self.form(keyword, value)?, words::pattern(value.as_str()?)),
            "format" => (31, self.form(keyword, value)?, words::format(value.as_str()?)),
            "uniqueItems" if value == &Value::Bool(true) => (35, Assertion::Unique, words::unique()),
            _ => return None,
        };
        Some((price, assertion, site.kind(keyword, message)))
    }

    fn form(&self, keyword: &str, value: &Value) -> Option<Assertion> {
        let is_plain: Option<fn(&str) -> bool> = match (keyword, value.as_str()?) {
            ("pattern", r"^\+?[1-9]\d{1,14}$") => Some(is_plain_number),
            ("format", "email") => Some(is_plain_email),
            ("format", "uuid") => Some(|text| parse_uuid(text).is_some()),
            _ => None,
        };
        let mut schema = json!({ keyword: value });
        if let Some(dialect) = self.root.get("$schema") {
            schema["$schema"] = dialect.clone();
        }
        let validator = validator_of(&schema).ok()?;
        let may_give_up = keyword == "pattern";
        Some(Assertion::Form(Box::new(TextForm { is_plain, validator, may_give_up })))
    }

    fn members(
        &mut self,
        object: &'s Map<String, Value>,
        properties: &'s Value,
        site: &Site,
    ) -> Option<Members> {
        let names = object.get("required").map_or(Some(&NONE), Value::as_array)?;
        let is_closed = match object.get("additionalProperties") {
            None | Some(Value::Bool(true)) => false,
            Some(Value::Bool(false)) => true,
            Some(_) => return None,
        };
        let mut places = Vec::new();
        for (name, schema) in properties.as_object()? {
            let is_plain = !name.is_empty() && !name.contains(['~', '/', '%', '*']);
            if !is_plain || places.len() == PROPERTIES_MAX {
                return None;
            }
            places.push((name.clone(), self.place(schema, site.property(name))?));
        }
        let mut required = Vec::new();
        for name in names {
            let property = places.iter().position(|(own, _)| name == own)?;
            required
                .push(Required { property, kind: site.kind("required", words::required(name.as_str()?)) });
        }
        let required_last = is_closed && required.len() == 1;
        let closed = if is_closed { Some(self.closed(site)?) } else { None };
        Some(Members { properties: Properties::of(places), required, required_last, closed })
    }

    fn closed(&mut self, site: &Site) -> Option<Closed> {
        self.meant += self.names.names().len();
        if self.meant > MEANT_MAX {
            return None;
        }
        let kind = |meant: Option<&str>| site.kind("additionalProperties", message_of(meant));
        Some(Closed { kind: kind(None), meant: self.names.names().map(|name| kind(Some(name))).collect() })
    }
}

static NONE: Vec<Value> = Vec::new();

/// Of a schema that names no properties.
fn asks_for_members(object: &Map<String, Value>) -> bool {
    let asks = |keyword, nothing: &Value| object.get(keyword).is_some_and(|value| value != nothing);
    asks("required", &Value::Array(Vec::new())) || asks("additionalProperties", &Value::Bool(true))
}

impl Place {
    fn empty(site: &Site) -> Self {
        Self {
            pointer: site.pointer.clone().into(),
            types: None,
            assertions: Vec::new(),
            members: None,
            items: None,
        }
    }
}

/// Values that are equal where they are the same.
fn plain_values<'v>(values: impl IntoIterator<Item = &'v Value>) -> Option<Vec<Value>> {
    let is_plain = |value: &&Value| matches!(value, Value::Null | Value::Bool(_) | Value::String(_));
    values.into_iter().map(|value| is_plain(&value).then(|| value.clone())).collect()
}

fn types(value: &Value, site: &Site) -> Option<Types> {
    let listed = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(listed) => listed,
        _ => return None,
    };
    let (mut allowed, mut set, mut last) = (0, JsonTypeSet::empty(), JsonType::Null);
    for name in listed {
        let (index, kind) = match name.as_str()? {
            "null" => (0, JsonType::Null),
            "boolean" => (1, JsonType::Boolean),
            "number" => (2, JsonType::Number),
            "string" => (3, JsonType::String),
            "array" => (4, JsonType::Array),
            "object" => (5, JsonType::Object),
            _ => return None,
        };
        allowed |= 1 << index;
        (set, last) = (set.insert(kind), kind);
    }
    let kind = match listed {
        [_] => TypeKind::Single(last),
        _ => TypeKind::Multiple(set),
    };
    let names = words::type_names(&kind);
    let kinds = words::INSTANCE_TYPES.map(|instance| site.kind("type", words::of_type(&names, instance)));
    Some(Types { allowed, kinds })
}
