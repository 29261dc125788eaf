//! What a schema asks, as checks that find faults in a tree: the same ones as the validator, in the same order, at a fraction
//! of its cost, because all texts about a fault are made when the schema is compiled.
//!
//! Only for schemas that have none but the usual keywords (`compile` says which). Where a text does not have its usual form,
//! the validator decides about that text alone; where anything else is not sure, it decides about the document.

mod compile;

use std::sync::Arc;

use jsonschema::Validator;
use jsonschema_value::{Array as _, Node as _};
use serde_json::Value;

use super::{
    meant::{Meant, Remembered},
    rejection::{FAULTS_MAX, Fault, FaultKind},
    schema_message::{INSTANCE_TYPES, instance_type},
    shapes,
    tree::{Kind, Node, SAMPLES, TreeJson, sample, with_text},
};

/// The checks of a schema.
#[derive(Debug)]
pub(super) struct Checks {
    root: Place,
}

/// What is asked of the values at one place of a document.
#[derive(Debug)]
struct Place {
    /// The pointer to it, cut where the indices of arrays belong.
    pointer: Box<[String]>,
    types: Option<Types>,
    /// In the order in which the validator makes them.
    assertions: Vec<(Assertion, Arc<FaultKind>)>,
    /// Of an object.
    members: Option<Members>,
    /// Of an array.
    items: Option<Box<Place>>,
}

/// Which JSON types are allowed, a bit each in the order of [`INSTANCE_TYPES`].
#[derive(Debug)]
struct Types {
    allowed: u8,
    /// For each type that is not allowed.
    kinds: [Arc<FaultKind>; INSTANCE_TYPES.len()],
}

#[derive(Debug)]
enum Assertion {
    OneOf(Vec<Value>),
    /// Characters.
    Length(u64, u64),
    Items(u64, u64),
    Properties(u64, u64),
    Form(Box<TextForm>),
    Unique,
}

/// A pattern or format.
#[derive(Debug)]
struct TextForm {
    /// Accepts less than the validator, and quickly.
    is_plain: Option<fn(&str) -> bool>,
    validator: Validator<TreeJson>,
    /// Whether the validator may give up on a text.
    may_give_up: bool,
}

#[derive(Debug)]
struct Members {
    properties: Properties,
    required: Vec<Required>,
    /// Whether what is missing is told after all else.
    required_last: bool,
    /// What there is to say about other properties, where none is allowed.
    closed: Option<Closed>,
}

/// By name.
#[derive(Debug)]
struct Properties {
    all: Vec<(String, Place)>,
    /// For each sample of a name the last that has it, or [`NO_PROPERTY`].
    by_sample: [u8; SAMPLES],
}

const NO_PROPERTY: u8 = u8::MAX;

#[derive(Debug)]
struct Required {
    /// Among the properties.
    property: usize,
    kind: Arc<FaultKind>,
}

#[derive(Debug)]
struct Closed {
    kind: Arc<FaultKind>,
    /// For each name that may be meant, in the order of all names of the schema.
    meant: Vec<Arc<FaultKind>>,
}

/// How many properties an object may have in a schema: a bit each.
const PROPERTIES_MAX: usize = 64;

/// What is gathered while a document is gone over.
struct Finding<'f> {
    names: &'f Meant,
    remembered: &'f mut Remembered,
    /// Of the arrays that were gone into.
    indices: Vec<usize>,
    faults: Vec<Fault>,
}

/// None where it is not sure what the validator says.
type Sure = Option<()>;

impl Checks {
    /// The faults of a document, one more than are reported at most.
    pub(super) fn faults(
        &self,
        document: Node<'_>,
        names: &Meant,
        remembered: &mut Remembered,
    ) -> Option<Vec<Fault>> {
        let mut finding = Finding { names, remembered, indices: Vec::new(), faults: Vec::new() };
        self.root.check(document, &mut finding)?;
        Some(finding.faults)
    }
}

impl Place {
    fn check(&self, value: Node<'_>, finding: &mut Finding<'_>) -> Sure {
        if let Some(Types { allowed, kinds }) = &self.types {
            let index = instance_type(value);
            if allowed >> index & 1 == 0 {
                self.fault(&kinds[index], value, finding);
            }
        }
        for (assertion, kind) in &self.assertions {
            match assertion.decide(value) {
                Verdict::Valid => {}
                Verdict::Wrong => self.fault(kind, value, finding),
                Verdict::Unsure => return None,
            }
        }
        if finding.faults.len() > FAULTS_MAX {
            return None;
        }
        match (value.kind(), &self.members, &self.items) {
            (Kind::Object(count), Some(members), _) => members.check(self, value, *count, finding),
            (Kind::Array(_), _, Some(items)) => items.check_all(value, finding),
            _ => Some(()),
        }
    }

    fn check_all(&self, array: Node<'_>, finding: &mut Finding<'_>) -> Sure {
        let depth = finding.indices.len();
        finding.indices.push(0);
        for (index, item) in array.items().enumerate() {
            finding.indices[depth] = index;
            self.check(item, finding)?;
        }
        finding.indices.truncate(depth);
        Some(())
    }

    #[cold]
    fn fault(&self, kind: &Arc<FaultKind>, value: Node<'_>, finding: &mut Finding<'_>) {
        let mut pointer = String::with_capacity(self.pointer.iter().map(|part| part.len() + 4).sum());
        for (at, part) in self.pointer.iter().enumerate() {
            if at > 0 {
                pointer.push_str(&finding.indices[at - 1].to_string());
            }
            pointer.push_str(part);
        }
        finding.faults.push(Fault::of_kind(Arc::clone(kind), pointer).with_shape(value));
    }
}

impl Members {
    fn check(&self, place: &Place, object: Node<'_>, count: usize, finding: &mut Finding<'_>) -> Sure {
        if self.closed.is_none() && count > self.properties.all.len() * 4 {
            // The validator then goes by the order of the schema.
            return None;
        }
        let before = finding.faults.len();
        let (mut found, mut is_strange) = (0_u64, false);
        for (name, value) in object.members() {
            match self.properties.at(name) {
                Some(at) => {
                    found |= 1 << at;
                    self.properties.all[at].1.check(value, finding)?;
                }
                None => is_strange = true,
            }
        }
        if !self.required_last {
            let of_values = finding.faults.len();
            self.check_required(found, place, object, finding);
            // The validator asks for them first.
            let missing = finding.faults.len() - of_values;
            finding.faults[before..].rotate_right(missing);
        }
        if is_strange && let Some(closed) = &self.closed {
            let names = object.members().map(|(name, _)| name);
            let strange = names.filter(|name| self.properties.at(name).is_none());
            let best = finding.names.best(strange, finding.remembered);
            place.fault(best.map_or(&closed.kind, |at| &closed.meant[at]), object, finding);
        }
        if self.required_last {
            self.check_required(found, place, object, finding);
        }
        Some(())
    }

    fn check_required(&self, found: u64, place: &Place, object: Node<'_>, finding: &mut Finding<'_>) {
        for required in &self.required {
            if found >> required.property & 1 == 0 {
                place.fault(&required.kind, object, finding);
            }
        }
    }
}

impl Properties {
    /// There are [`PROPERTIES_MAX`] at most.
    fn of(all: Vec<(String, Place)>) -> Self {
        let mut by_sample = [NO_PROPERTY; SAMPLES];
        for (at, (name, _)) in (0..).zip(&all) {
            by_sample[sample(name)] = at;
        }
        Self { all, by_sample }
    }

    /// Where the property of a name is.
    fn at(&self, name: &str) -> Option<usize> {
        let likely = self.by_sample[sample(name)];
        if likely == NO_PROPERTY {
            return None;
        }
        let likely = usize::from(likely);
        if self.all[likely].0 == name { Some(likely) } else { self.position(name) }
    }

    #[cold]
    fn position(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|(own, _)| own == name)
    }
}

enum Verdict {
    Valid,
    Wrong,
    Unsure,
}

impl Assertion {
    fn decide(&self, value: Node<'_>) -> Verdict {
        let counts = |least: u64, most: u64, count: usize| (least..=most).contains(&(count as u64));
        let is_valid = match (self, value.kind()) {
            (Self::OneOf(_), Kind::Number(_) | Kind::Array(_) | Kind::Object(_)) => false,
            (Self::OneOf(values), _) => values.iter().any(|one| value.equals_value(one)),
            (Self::Length(least, most), _) => value.string_length_within(*least, *most) != Some(false),
            (Self::Items(least, most), Kind::Array(items)) => counts(*least, *most, *items),
            (Self::Properties(least, most), Kind::Object(members)) => counts(*least, *most, *members),
            (Self::Form(form), Kind::Text(text)) => return form.decide(text),
            (Self::Unique, Kind::Array(_)) => value.is_unique(),
            _ => true,
        };
        if is_valid { Verdict::Valid } else { Verdict::Wrong }
    }
}

impl TextForm {
    fn decide(&self, text: &str) -> Verdict {
        if self.is_plain.is_some_and(|is_plain| is_plain(text)) {
            return Verdict::Valid;
        }
        with_text(text, |text| {
            if self.validator.is_valid(text) {
                return Verdict::Valid;
            }
            if !self.may_give_up {
                return Verdict::Wrong;
            }
            match self.validator.validate(text) {
                Err(error) if !shapes::gave_up(error.kind()) => Verdict::Wrong,
                // It gave up on a pattern, which it tells after all else.
                Ok(()) | Err(_) => Verdict::Unsure,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{BUILT_IN_SCHEMA, DocumentSchema, check, check_in_full, validator::validator_of};

    fn checks(schema: &Value) -> Option<Checks> {
        let draft = validator_of(schema).expect("a schema").draft();
        Checks::of_schema(schema, draft, &Meant::of_schema(schema))
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut schema: Value = serde_json::from_str(BUILT_IN_SCHEMA).expect("it is JSON");
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
        schema.pointer_mut(parent).expect("it is there")[name] = value;
        schema
    }

    #[test]
    fn usual_schemas_have_checks_and_others_go_to_the_validator() {
        for (pointer, value) in [
            ("/title", json!("as it is")),
            ("/$id", json!("https://example.com/customer.json")),
            ("/additionalProperties", json!(true)),
            ("/properties/firstName/pattern", json!("^[A-Z]")),
            ("/properties/firstName/type", json!(["string", "null"])),
            ("/properties/lastName", json!({"$ref": "#/properties/firstName"})),
            ("/properties/lastName/enum", json!(["Lee", "Kim", null])),
            ("/properties/phoneNumbers/maxItems", json!(3)),
        ] {
            assert!(checks(&with(pointer, value)).is_some(), "{pointer}");
        }
        for (pointer, value) in [
            ("/properties/lastName/anyOf", json!([{"type": "string"}])),
            ("/properties/lastName/type", json!("integer")),
            ("/properties/lastName/enum", json!(["Lee", 1])),
            ("/properties/address/type", json!("string")),
            ("/additionalProperties", json!({"type": "string"})),
            ("/required", json!(["nickname"])),
            ("/properties/a~1b", json!({})),
            ("/definitions/PhoneNumber", json!({"$ref": "#/definitions/PhoneNumber"})),
        ] {
            if let Ok(validator) = validator_of(&with(pointer, value.clone())) {
                let schema = with(pointer, value);
                let names = Meant::of_schema(&schema);
                assert!(Checks::of_schema(&schema, validator.draft(), &names).is_none(), "{pointer}");
            }
        }
    }

    /// Several faults in one document, in lists and objects, and a pattern that gives up.
    #[test]
    fn they_tell_what_the_validator_tells_in_its_order() {
        let schema = with("/properties/lastName/pattern", json!(r"^(a|aa)+\1$")).to_string();
        let schema = DocumentSchema::compile(&schema, "test.json").expect("a schema");
        let strange = "a".repeat(60) + "b";
        let document = json!({
            "id": 1, "firstname": "Ann", "lastName": strange, "emails": ["a@b", "a@b", 7, "x", null],
            "phoneNumbers": [{"type": "fax", "number": "12"}, 3, {"number": "x", "kind": "home"}],
            "address": {"line1": "", "country": "DEU", "city": null, "": 1}, "privacySettings": [],
        });
        let line = document.to_string();
        let found = check(line.as_bytes(), &schema, |_| ()).expect_err("it has faults");
        assert_eq!(check_in_full(line.as_bytes(), &schema, |_| ()), Err(found.clone()));
        assert!(found.len() > 12, "{found:?}");
    }
}
