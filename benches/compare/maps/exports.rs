//! Documents under the names and in the shapes that exports have.

use serde_json::{Map, Value, json};

/// Of a document that is ours.
type Document = Map<String, Value>;

/// Other names, another nesting, and no member for what there is not.
pub(super) fn renamed(document: &Document, _: u64) -> Value {
    let mut export = Map::new();
    let mut rename = |from: &str, to: &str, change: &dyn Fn(&Value) -> Value| {
        if let Some(value) = document.get(from) {
            export.insert(to.to_owned(), change(value));
        }
    };
    rename("id", "customer_id", &Value::clone);
    rename("firstName", "first_name", &Value::clone);
    rename("middleName", "middle_name", &Value::clone);
    rename("lastName", "last_name", &Value::clone);
    rename("emails", "mails", &Value::clone);
    rename("phoneNumbers", "phones", &|phones| numbers(phones, "kind", "no"));
    rename("address", "postal", &|address| {
        let mut postal = json!({
            "street": address["line1"], "town": address["city"], "region": address["state"],
            "zip": address["postalCode"], "country_code": address["country"],
        });
        if let Some(line2) = address.get("line2") {
            postal["street2"] = line2.clone();
        }
        postal
    });
    rename(
        "privacySettings",
        "consent",
        &|privacy| json!({"newsletter": privacy["marketingEmailsEnabled"], "mfa": privacy["twoFactorEnabled"]}),
    );
    export.into()
}

/// As mongoexport writes them (`examples/legacy/mongo.jq`).
pub(super) fn mongo(document: &Document, at: u64) -> Value {
    let privacy = &document["privacySettings"];
    let mut export = json!({
        "_id": {"$oid": format!("{at:024x}")},
        "name": {"first": document["firstName"], "last": document["lastName"]},
        "email": document["emails"][0],
        "optIn": privacy["marketingEmailsEnabled"],
        "createdAt": {"$date": "2020-01-01T00:00:00Z"},
        "visits": {"$numberLong": at.to_string()},
    });
    if let Some(middle) = document.get("middleName") {
        export["name"]["middle"] = middle.clone();
    }
    if let Some(phones) = document.get("phoneNumbers") {
        export["phones"] = numbers(phones, "kind", "no");
    }
    if privacy["twoFactorEnabled"] == true {
        export["security"] = json!({"totpSince": {"$date": "2021-03-04T05:06:07Z"}});
    }
    export
}

/// Rows of a CSV file (`examples/legacy/flat.jq`).
pub(super) fn flat(document: &Document, at: u64) -> Value {
    let mut export = Map::new();
    let mut column = |name: &str, value: &Value| {
        export.insert(name.to_owned(), if value.is_null() { "".into() } else { value.clone() });
    };
    let value = |name: &str| document.get(name).unwrap_or(&Value::Null);
    column("customer_no", &at.into());
    column("first_name", value("firstName"));
    column("last_name", value("lastName"));
    column("email1", &document["emails"][0]);
    column("email2", &document["emails"][1]);
    for at in 0..3 {
        let phone = &value("phoneNumbers")[at];
        column(&format!("phone{}", at + 1), &phone["number"]);
        column(&format!("phone{}_type", at + 1), &phone["type"]);
    }
    let address = value("address");
    for (name, property) in [("street", "line1"), ("city", "city"), ("state", "state"), ("zip", "postalCode")]
    {
        column(name, &address[property]);
    }
    column("country", &address["country"]);
    let is_wanted = document["privacySettings"]["marketingEmailsEnabled"] == true;
    column("newsletter", &if is_wanted { "Y" } else { "no" }.into());
    export.into()
}

/// Records of a CRM, with a null for whatever is not known (`examples/legacy/crm.jq`).
pub(super) fn crm(document: &Document, _: u64) -> Value {
    let value = |name: &str| document.get(name).cloned().unwrap_or_default();
    let emails = document["emails"].as_array().map_or(&[][..], Vec::as_slice);
    let emails: Vec<_> = emails.iter().map(|email| json!({"address": email, "verified": null})).collect();
    let addresses = match document.get("address") {
        None => Value::Null,
        Some(address) => json!([
            {"primary": false, "lines": [null], "city": null},
            {
                "primary": true, "lines": [address["line1"], address["line2"]], "city": address["city"],
                "region": address["state"], "zip": address["postalCode"], "country": address["country"],
            },
        ]),
    };
    let privacy = &document["privacySettings"];
    json!({
        "kind": "customer",
        "record": {
            "uuid": document["id"],
            "person": {
                "given": document["firstName"], "middle": value("middleName"), "family": document["lastName"],
                "title": null,
            },
            "contact": {"emails": emails, "phones": numbers(&value("phoneNumbers"), "label", "e164")},
            "addresses": addresses,
            "consent": {"marketing": privacy["marketingEmailsEnabled"]},
            "account": {"mfa": privacy["twoFactorEnabled"]},
        }
    })
}

fn numbers(phones: &Value, kind: &str, number: &str) -> Value {
    let phones = phones.as_array().map_or(&[][..], Vec::as_slice);
    phones.iter().map(|phone| json!({kind: phone["type"], number: phone["number"]})).collect()
}
