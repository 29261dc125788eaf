//! How schemas are compiled: formats are held, and nothing is fetched.

use std::sync::Arc;

use jsonschema::{EmailOptions, Retrieve, ValidationOptions, Validator};
use serde_json::{Value, json};

use super::{
    formats::is_plain_email,
    tree::{TreeJson, with_text},
    uuid::parse_uuid,
};

pub(super) fn validator_of(
    schema: &Value,
) -> Result<Validator<TreeJson>, jsonschema::ValidationError<'static>> {
    let unusual = options().build(&json!({"format": "email"}))?;
    let is_email = move |text: &str| is_plain_email(text) || with_text(text, |text| unusual.is_valid(text));
    options().with_format("email", is_email).build(schema)
}

fn options<'o>() -> ValidationOptions<'o, Arc<dyn Retrieve>, TreeJson> {
    jsonschema::options_for::<TreeJson>()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("uuid", |text: &str| parse_uuid(text).is_some())
        .with_email_options(EmailOptions::default().without_display_text())
        .offline()
}
