//! What each CPU stage does in a second on one core: reading chunks, checking lines, encoding rows.
//!
//! `cargo bench --bench stages`; the input comes from `examples/generate`, so it is the same everywhere. Bytes
//! are those of the NDJSON, decompressed, in every stage: the numbers can be compared with one another.

use std::{
    borrow::Cow,
    fmt, fs,
    io::Write,
    mem,
    process::{Command, Stdio},
    sync::LazyLock,
};

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use flate2::{Compression, write::GzEncoder};
use profile_loader::internals::{
    document::{self, BUILT_IN_SCHEMA, DocumentSchema, PhoneNumber, PostalAddress, Profile, Scratch},
    input::{ChunkReader, Source},
    rows::LanePart,
};
use profile_loader::settings::FramingRequest;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

const DOCUMENTS: usize = 10_000;

/// What `load` reads at once unless told otherwise.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Each sample is all documents once, so a few tell the speed and the noise.
const SAMPLES: u32 = 20;

/// The levels that gzip and zstd take unless told otherwise.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| generate("0"));
static FAULTY: LazyLock<Vec<u8>> = LazyLock::new(|| generate("1"));

fn main() {
    divan::Divan::default().sample_count(SAMPLES).sample_size(1).config_with_args().main();
}

#[derive(Debug, Clone, Copy)]
enum Stored {
    Plain,
    Gzip,
    Zstd,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Reading includes decompression, the search for line ends and the digest.
#[divan::bench(args = [Stored::Plain, Stored::Gzip, Stored::Zstd])]
fn read(bencher: Bencher<'_, '_>, stored: Stored) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("customers.ndjson");
    fs::write(&path, store(&VALID, stored)).expect("the temporary folder can be written");
    let source = Source::File(path);
    assert_eq!(read_all(&source, |chunk| lines(chunk).count()), DOCUMENTS);
    counted(bencher, &VALID).bench_local(|| {
        let bytes = read_all(&source, <[u8]>::len);
        assert_eq!(bytes, VALID.len(), "every byte comes out again");
    });
}

/// The short way of ordinary documents by itself.
#[divan::bench]
fn check_ordinary(bencher: Bencher<'_, '_>) {
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    count_accepted(bencher, &VALID, DOCUMENTS, |line| {
        document::check_ordinary(line, &schema, &mut scratch, |profile| black_box(profile).id).is_some()
    });
}

#[divan::bench]
fn check_valid(bencher: Bencher<'_, '_>) {
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    count_accepted(bencher, &VALID, DOCUMENTS, |line| {
        document::check_in(line, &schema, &mut scratch, |profile| black_box(profile).id).is_ok()
    });
}

/// What the scanner is held against: serde_json into a struct of the same shape, without a rule of the schema.
#[divan::bench]
fn parse_typed_by_serde_json(bencher: Bencher<'_, '_>) {
    count_accepted(bencher, &VALID, DOCUMENTS, |line| {
        black_box(serde_json::from_slice::<TypedDocument>(line)).is_ok()
    });
}

/// And its mere syntax check.
#[divan::bench]
fn parse_nothing_by_serde_json(bencher: Bencher<'_, '_>) {
    count_accepted(bencher, &VALID, DOCUMENTS, |line| serde_json::from_slice::<IgnoredAny>(line).is_ok());
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is read of a document is what it costs")]
struct TypedDocument<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    first_name: Cow<'a, str>,
    #[serde(borrow, default)]
    middle_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_name: Cow<'a, str>,
    #[serde(borrow, default)]
    address: Option<TypedAddress<'a>>,
    #[serde(borrow, default)]
    emails: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    phone_numbers: Vec<TypedPhoneNumber<'a>>,
    #[serde(default)]
    privacy_settings: Option<TypedPrivacy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct TypedAddress<'a> {
    #[serde(borrow)]
    line1: Cow<'a, str>,
    #[serde(borrow, default)]
    line2: Option<Cow<'a, str>>,
    #[serde(borrow)]
    city: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    postal_code: Cow<'a, str>,
    #[serde(borrow)]
    country: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct TypedPhoneNumber<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    number: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct TypedPrivacy {
    marketing_emails_enabled: bool,
    two_factor_enabled: bool,
}

/// What valid documents may have that the plainest have not: none of it may take twice as long for a document.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Feature {
    None,
    SpacesAfterColons,
    /// Of the alphabet.
    AnotherOrder,
    EscapedNames,
    RawAccents,
    EscapedAccents,
    SurrogatePairs,
    ALabels,
    LongEmails,
    LongTexts,
    ManyEmails,
    CountriesOfOtherScripts,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Feature {
    const ALL: [Self; 12] = [
        Self::None,
        Self::SpacesAfterColons,
        Self::AnotherOrder,
        Self::EscapedNames,
        Self::RawAccents,
        Self::EscapedAccents,
        Self::SurrogatePairs,
        Self::ALabels,
        Self::LongEmails,
        Self::LongTexts,
        Self::ManyEmails,
        Self::CountriesOfOtherScripts,
    ];

    /// A document that has it everywhere.
    fn of(self, line: &str) -> String {
        let mut document: Value = serde_json::from_str(line).expect("a generated document is JSON");
        let texts = ["/firstName", "/lastName", "/address/line1", "/address/city"];
        let mut put = |places: &[&str], text: &str| {
            for place in places {
                document.pointer_mut(place).into_iter().for_each(|value| *value = Value::from(text));
            }
            document.to_string()
        };
        let long_domain = ["d".repeat(60), "e".repeat(60), "example".to_owned()].join(".");
        match self {
            Self::None => line.to_owned(),
            Self::SpacesAfterColons => {
                line.replace("\":", "\": ").replace(",\"", ", \"").replace(",{", ", {")
            }
            Self::AnotherOrder => document.to_string(),
            Self::EscapedNames => line.replace("Name\":", "\\u004eame\":"),
            Self::RawAccents => put(&texts, "Zoë Ångström-Ñandú"),
            Self::EscapedAccents => {
                put(&texts, "Zo~ ~ngstr~m").replace("Zo~ ~ngstr~m", r"Zo\u00eb \u00c5ngstr\u00f6m")
            }
            Self::SurrogatePairs => put(&texts, "Zoe ~~").replace("Zoe ~~", r"Zoe \ud83d\ude00\ud83d\ude80"),
            Self::ALabels => put(&["/emails/0"], "zoe@xn--mnchen-3ya.example"),
            Self::LongEmails => put(&["/emails/0"], &format!("{}@{long_domain}", "z".repeat(60))),
            Self::LongTexts => put(&texts, &"long ".repeat(60)),
            Self::ManyEmails => {
                document["emails"] = (0..12).map(|at| format!("zoe.{at}@example.com")).collect();
                document.to_string()
            }
            Self::CountriesOfOtherScripts => put(&["/address/country"], "中国"),
        }
    }
}

#[divan::bench(args = Feature::ALL)]
fn check_valid_with(bencher: Bencher<'_, '_>, feature: Feature) {
    let text = std::str::from_utf8(&VALID).expect("JSON is UTF-8");
    let text: String = text.lines().map(|line| feature.of(line) + "\n").collect();
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    count_accepted(bencher, text.leak().as_bytes(), DOCUMENTS, |line| {
        document::check_ordinary(line, &schema, &mut scratch, |profile| black_box(profile).id).is_some()
    });
}

/// What `--json-schema FILE` costs, with the same rules.
#[divan::bench]
fn check_valid_by_file(bencher: Bencher<'_, '_>) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    fs::write(file.path(), BUILT_IN_SCHEMA).expect("the temporary file can be written");
    let schema = DocumentSchema::from_file(file.path(), "printed").expect("the built-in schema is one");
    let mut scratch = Scratch::default();
    count_accepted(bencher, &VALID, DOCUMENTS, |line| {
        document::check_in(line, &schema, &mut scratch, |profile| black_box(profile).id).is_ok()
    });
}

/// A refused document is gone through again for all of its faults.
#[divan::bench]
fn check_faulty(bencher: Bencher<'_, '_>) {
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    count_accepted(bencher, &FAULTY, 0, |line| {
        document::check_in(line, &schema, &mut scratch, |profile| black_box(profile).id).is_ok()
    });
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let schema = DocumentSchema::built_in();
    let (mut profiles, mut offset) = (Vec::with_capacity(DOCUMENTS), 0);
    for line in lines(&VALID) {
        let profile = document::check(line, &schema, leaked).expect("the document is valid");
        profiles.push((profile, offset));
        offset += line.len();
    }
    // One part for all documents, fresh each time as in a run: its buffer's growth belongs to the cost.
    counted(bencher, &VALID).bench_local(|| {
        let mut part = LanePart::default();
        for (profile, offset) in &profiles {
            part.push(black_box(profile), *offset);
        }
        assert_eq!(part.documents().len(), DOCUMENTS, "every document is encoded");
        part
    });
}

fn count_accepted(
    bencher: Bencher<'_, '_>,
    text: &'static [u8],
    expected: usize,
    mut accepts: impl FnMut(&[u8]) -> bool,
) {
    counted(bencher, text).bench_local(|| {
        let accepted = lines(text).filter(|line| accepts(line)).count();
        assert_eq!(accepted, expected, "documents accepted of {DOCUMENTS}");
    });
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, text: &[u8]) -> Bencher<'a, 'b> {
    bencher.counter(BytesCount::new(text.len())).counter(ItemsCount::new(DOCUMENTS))
}

/// Reads `source` in one buffer, as the pipeline does, and adds up what `measure` makes of the chunks.
fn read_all(source: &Source, measure: impl Fn(&[u8]) -> usize) -> usize {
    let mut reader = ChunkReader::open(vec![source.clone()], FramingRequest::Auto, CHUNK_BYTES)
        .expect("the file is NDJSON");
    let (mut buffer, mut sum) = (Vec::new(), 0);
    while let Some(chunk) = reader.next_chunk(mem::take(&mut buffer)).expect("the file is whole") {
        sum += measure(&chunk.bytes);
        buffer = chunk.bytes;
    }
    sum
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

fn store(text: &[u8], stored: Stored) -> Vec<u8> {
    match stored {
        Stored::Plain => text.to_vec(),
        Stored::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes every byte")
        }
        Stored::Zstd => zstd::encode_all(text, ZSTD_LEVEL).expect("memory takes every byte"),
    }
}

/// The profile with texts that live on, for encoding without decoding.
fn leaked(profile: &Profile<'_>) -> Profile<'static> {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let address = profile.address.as_ref().map(|address| PostalAddress {
        line1: leak(address.line1),
        line2: address.line2.map(leak),
        city: leak(address.city),
        state: leak(address.state),
        postal_code: leak(address.postal_code),
        country: leak(address.country),
    });
    let phone_numbers = profile.phone_numbers.iter();
    Profile {
        id: profile.id,
        first_name: leak(profile.first_name),
        middle_name: profile.middle_name.map(leak),
        last_name: leak(profile.last_name),
        marketing_emails_enabled: profile.marketing_emails_enabled,
        two_factor_enabled: profile.two_factor_enabled,
        address,
        emails: profile.emails.iter().map(|email| leak(email)).collect(),
        phone_numbers: phone_numbers
            .map(|phone| PhoneNumber { kind: leak(phone.kind), number: leak(phone.number) })
            .collect(),
    }
}

/// Documents by the example, built like this bench, so that nothing is compiled twice.
fn generate(invalid: &str) -> Vec<u8> {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let count = DOCUMENTS.to_string();
    let features: &[&str] = if cfg!(feature = "failpoints") { &["--features", "failpoints"] } else { &[] };
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--profile", profile])
        .args(features)
        .args(["--example", "generate", "--", "--count", &count, "--invalid", invalid])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "the example generate ended with {}", output.status);
    assert_eq!(lines(&output.stdout).count(), DOCUMENTS, "one line a document");
    output.stdout
}
