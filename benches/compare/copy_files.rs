//! Ready-made COPY BINARY files of the four tables, for the references.
//!
//! An encoder of its own, over serde_json and without any of the loader's code: a mistake in the loader cannot
//! hide in the reference. The format is that of the PostgreSQL manual, section "COPY", Binary Format.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::failure::{Failure, Outcome};

const BUFFER_BYTES: usize = 1 << 20;

/// How the rows of documents are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In the documents' order; the server numbers e-mails and phone numbers.
    Plain,
    /// In the order of the profiles' ids, each e-mail and phone number with an id of its own.
    Prepared,
}

/// The files of one set of documents, in a folder of their own.
#[derive(Debug)]
pub(crate) struct CopyFiles {
    pub(crate) dir: PathBuf,
    pub(crate) form: Form,
    /// Of each table, in the order of `TABLES`.
    pub(crate) rows: [u64; 4],
}

/// A table as psql's `\copy` names it, and its file.
#[derive(Debug)]
pub(crate) struct CopyTarget {
    pub(crate) table: &'static str,
    /// Without the ids of e-mails and numbers, which are `numbered`.
    pub(crate) columns: &'static str,
    pub(crate) is_numbered: bool,
    pub(crate) file: &'static str,
}

pub(crate) const TABLES: [CopyTarget; 4] = [
    CopyTarget {
        table: "customer_profiles",
        columns: "id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled",
        is_numbered: false,
        file: "profiles.copy",
    },
    CopyTarget {
        table: "customer_profile_addresses",
        columns: "customer_profile_id, line1, line2, city, state, postal_code, country",
        is_numbered: false,
        file: "addresses.copy",
    },
    CopyTarget {
        table: "customer_profile_emails",
        columns: "customer_profile_id, email",
        is_numbered: true,
        file: "emails.copy",
    },
    CopyTarget {
        table: "customer_profile_phone_numbers",
        columns: "customer_profile_id, type, number",
        is_numbered: true,
        file: "phone_numbers.copy",
    },
];

#[derive(Deserialize)]
struct Id<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: String,
    first_name: String,
    middle_name: Option<String>,
    last_name: String,
    emails: Vec<String>,
    #[serde(default)]
    phone_numbers: Vec<PhoneNumber>,
    address: Option<Address>,
    privacy_settings: PrivacySettings,
}

#[derive(Deserialize)]
struct PhoneNumber {
    #[serde(rename = "type")]
    kind: String,
    number: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    line1: String,
    line2: Option<String>,
    city: String,
    state: String,
    postal_code: String,
    country: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrivacySettings {
    marketing_emails_enabled: bool,
    two_factor_enabled: bool,
}

impl CopyFiles {
    /// Of documents that are valid and whose ids differ, into the new folder `dir`.
    pub(crate) fn write(documents: &Path, dir: PathBuf, form: Form) -> Outcome<Self> {
        let what = || format!("making COPY files of {}", documents.display());
        fs::create_dir_all(&dir).map_err(Failure::of(what()))?;
        let rows = encode_file(documents, &dir, form).map_err(Failure::of(what()))?;
        Ok(Self { dir, form, rows })
    }

    /// The columns that a file has, as COPY names them.
    pub(crate) fn columns(&self, target: &CopyTarget) -> String {
        match self.form {
            Form::Prepared if target.is_numbered => format!("id, {}", target.columns),
            Form::Plain | Form::Prepared => target.columns.to_owned(),
        }
    }

    pub(crate) fn path(&self, target: &CopyTarget) -> PathBuf {
        self.dir.join(target.file)
    }
}

fn encode_file(documents: &Path, dir: &Path, form: Form) -> io::Result<[u64; 4]> {
    let create = |target: &CopyTarget| {
        CopyFile::create(&dir.join(target.file), form == Form::Prepared && target.is_numbered)
    };
    let [profiles, addresses, emails, phone_numbers] = &TABLES;
    let mut files = [create(profiles)?, create(addresses)?, create(emails)?, create(phone_numbers)?];
    match form {
        Form::Plain => {
            for line in BufReader::with_capacity(BUFFER_BYTES, File::open(documents)?).lines() {
                encode(&serde_json::from_str(&line?)?, &mut files)?;
            }
        }
        Form::Prepared => {
            let text = fs::read_to_string(documents)?;
            let mut lines = Vec::new();
            for line in text.lines() {
                let Id { id } = serde_json::from_str(line)?;
                lines.push((uuid(id)?, line));
            }
            lines.sort_unstable();
            for (_, line) in lines {
                encode(&serde_json::from_str(line)?, &mut files)?;
            }
        }
    }
    let mut rows = [0; 4];
    for (file, rows) in files.into_iter().zip(&mut rows) {
        *rows = file.finish()?;
    }
    Ok(rows)
}

fn encode(document: &Document, files: &mut [CopyFile; 4]) -> io::Result<()> {
    let [profiles, addresses, emails, phone_numbers] = files;
    let id = uuid(&document.id)?;
    let id = Some(&id[..]);
    let settings = &document.privacy_settings;
    profiles.row(&[
        id,
        Some(document.first_name.as_bytes()),
        document.middle_name.as_deref().map(str::as_bytes),
        Some(document.last_name.as_bytes()),
        Some(&[u8::from(settings.marketing_emails_enabled)]),
        Some(&[u8::from(settings.two_factor_enabled)]),
    ])?;
    if let Some(address) = &document.address {
        addresses.row(&[
            id,
            Some(address.line1.as_bytes()),
            address.line2.as_deref().map(str::as_bytes),
            Some(address.city.as_bytes()),
            Some(address.state.as_bytes()),
            Some(address.postal_code.as_bytes()),
            Some(address.country.as_bytes()),
        ])?;
    }
    for email in &document.emails {
        emails.row(&[id, Some(email.as_bytes())])?;
    }
    for phone in &document.phone_numbers {
        phone_numbers.row(&[id, Some(phone.kind.as_bytes()), Some(phone.number.as_bytes())])?;
    }
    Ok(())
}

/// The 16 bytes of a hyphenated UUID.
fn uuid(text: &str) -> io::Result<[u8; 16]> {
    let digits = text.replace('-', "");
    let uuid = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
    uuid.map(u128::to_be_bytes).ok_or_else(|| io::Error::other("an id is no UUID"))
}

struct CopyFile {
    file: BufWriter<File>,
    /// Each row begins with its number.
    is_numbered: bool,
    rows: u64,
}

impl CopyFile {
    fn create(path: &Path, is_numbered: bool) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        // Flags and the length of the header's extension are zero.
        file.write_all(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")?;
        Ok(Self { file, is_numbered, rows: 0 })
    }

    /// `None` is null.
    fn row(&mut self, fields: &[Option<&[u8]>]) -> io::Result<()> {
        self.rows += 1;
        let columns = fields.len() + usize::from(self.is_numbered);
        self.file.write_all(&i16::try_from(columns).map_err(io::Error::other)?.to_be_bytes())?;
        let id = self.rows.to_be_bytes();
        for field in self.is_numbered.then_some(&Some(&id[..])).into_iter().chain(fields) {
            let length =
                field.map_or(Ok(-1), |bytes| i32::try_from(bytes.len())).map_err(io::Error::other)?;
            self.file.write_all(&length.to_be_bytes())?;
            self.file.write_all(field.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Writes the end, a field count of -1, and tells how many rows there are.
    fn finish(mut self) -> io::Result<u64> {
        self.file.write_all(&(-1_i16).to_be_bytes())?;
        self.file.flush()?;
        Ok(self.rows)
    }
}
