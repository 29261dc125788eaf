//! The tables as data: their names, and the columns of the staging row in the order they are encoded.

/// One of the four tables, parents first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Profiles,
    Addresses,
    Emails,
    PhoneNumbers,
}

impl Table {
    pub const ALL: [Self; 4] = [Self::Profiles, Self::Addresses, Self::Emails, Self::PhoneNumbers];

    pub fn name(self) -> &'static str {
        match self {
            Self::Profiles => "customer_profiles",
            Self::Addresses => "customer_profile_addresses",
            Self::Emails => "customer_profile_emails",
            Self::PhoneNumbers => "customer_profile_phone_numbers",
        }
    }
}

impl Table {
    /// The columns that a row gets from its document, in the order they are encoded for COPY into the table.
    pub fn copied_columns(self) -> &'static [&'static str] {
        match self {
            Self::Profiles => &[
                "id",
                "first_name",
                "middle_name",
                "last_name",
                "marketing_emails_enabled",
                "two_factor_enabled",
            ],
            Self::Addresses => {
                &["customer_profile_id", "line1", "line2", "city", "state", "postal_code", "country"]
            }
            Self::Emails => &["customer_profile_id", "email"],
            Self::PhoneNumbers => &["customer_profile_id", "type", "number"],
        }
    }
}

/// The staging table's columns: one row holds one document. `line1` is null when there is no address;
/// each of `phones` is the type, a space, and the number, in the document's order.
pub const STAGED_COLUMNS: [(&str, &str); 15] = [
    ("seq", "bigint"),
    ("id", "uuid"),
    ("first_name", "text"),
    ("middle_name", "text"),
    ("last_name", "text"),
    ("marketing_emails_enabled", "boolean"),
    ("two_factor_enabled", "boolean"),
    ("line1", "text"),
    ("line2", "text"),
    ("city", "text"),
    ("state", "text"),
    ("postal_code", "text"),
    ("country", "text"),
    ("emails", "text[]"),
    ("phones", "text[]"),
];
