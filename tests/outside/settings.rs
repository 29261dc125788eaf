//! Where the database is: spellings of connection settings, and variables in place of options.
//!
//! No server is needed: what is sound leads to a port where nobody listens, and the message says where that is. In all of
//! them the password is [`SECRET`], which must not be shown, whatever became of it.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, process::Command};

use crate::process::{Output, binary, run};

const SECRET: &str = "s3cret";

/// Where nobody listens.
const NOBODY: &str = "127.0.0.1, port 1";

struct Case {
    /// The public report.
    source: &'static str,
    /// Words of the command line, behind `migrate status`.
    words: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    /// In standard error, in this order.
    said: &'static [&'static str],
}

/// A connection string as an option.
const fn url(
    source: &'static str,
    words: &'static [&'static str],
    code: i32,
    said: &'static [&'static str],
) -> Case {
    Case { source, words, variables: &[], code, said }
}

/// Variables alone.
const fn variables(
    source: &'static str,
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    said: &'static [&'static str],
) -> Case {
    Case { source, words: &[], variables, code, said }
}

const URL: &str = "--database-url";

/// Understood as libpq understands it: the attempt to connect goes to the right place, as the right user.
#[rustfmt::skip]
const UNDERSTOOD: &[Case] = &[
    url("rust-postgres/rust-postgres#453", &[URL, "postgresql://u:s3cret%40%2F%3A@127.0.0.1:1/d"], 4, &["database d", NOBODY, "as u"]),
    url("lldap/lldap#1059", &[URL, "postgresql://u:a#b:c+d?s3cret e@127.0.0.1:1/d"], 4, &["database d", NOBODY, "as u"]),
    url("maplibre/martin#210", &[URL, "postgres://127.0.0.1:1/?user=u&password=s3cret/@&dbname=d"], 4, &["database d", NOBODY, "as u"]),
    url("stellar/stellar-core#2234", &[URL, "host = 127.0.0.1 port= 1 dbname =d user\t=u password = s3cret"], 4, &["database d", NOBODY, "as u"]),
    url("stellar/stellar-core#2234", &[URL, r"host=127.0.0.1 port=1 dbname='d' user=u password='a\'s3cret'"], 4, &["database d", NOBODY, "as u"]),
    url("stellar/stellar-core#2234", &[URL, r"host=127.0.0.1 port=1 dbname=d user=u password=a\ s3cret\'"], 4, &["database d", NOBODY, "as u"]),
    url("wingfoil-io/wingfoil#434", &[URL, "password=s3cret application_name=a://b host=127.0.0.1 port=1 dbname=d user=u"], 4, &["database d", NOBODY, "as u"]),
    url("alphaonedev/ai-memory-mcp#3711", &[URL, "postgresql://u@127.0.0.1:1/d?pass%77ord=s3cret&application_name=a://b"], 4, &["database d", NOBODY, "as u"]),
    url("stellar/stellar-core#2234", &[URL, "password=other password=s3cret host=h host=127.0.0.1 port=1 dbname=d user=u"], 4, &["has host more than once", "has password more than once", "database d", NOBODY, "as u"]),
    url("libpq manual", &[URL, "postgresql://u@[::1]:1/d"], 4, &["database d at ::1, port 1, as u"]),
    url("libpq manual", &[URL, "postgresql://u@127.0.0.1:1,127.0.0.1:2/d?load_balance_hosts=disable&target_session_attrs=primary"], 4, &["port 1 or 127.0.0.1, port 2"]),
    url("libpq manual", &[URL, "host=db.example hostaddr=127.0.0.1 port=1 user=u dbname=d gssencmode=disable client_encoding=LATIN1 fallback_application_name=x sslsni=0 sslcompression=0 sslcert='' sslcrl='' sslmode=disable"], 4, &["database d at db.example, port 1, as u"]),
    url("libpq manual", &[URL, "postgresql://u@%2Fno%2Fsuch%2Fdir:1/d"], 4, &["database d at /no/such/dir, port 1, as u"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@%2Fno%2Fsuch%2Fdir:1/d?sslmode=require"], 4, &["TLS is asked for and not used over the socket /no/such/dir, port 1", "at /no/such/dir, port 1, as u"]),
    url("libpq manual", &[URL, "host=127.0.0.1,/no/such/dir port=1 user=u password=s3cret sslmode=verify-ca sslrootcert=/no/such.pem"], 2, &["/no/such.pem"]),
    variables("libpq manual", &[("DATABASE_HOST", "/no/such/dir"), ("DATABASE_PORT", "1"), ("DATABASE_USER", "u"), ("DATABASE_SSL", "true")], 4, &["TLS is asked for and not used", "at /no/such/dir"]),
    url("libpq manual", &[URL, "host=127.0.0.1 port=1 user=u dbname=d password=s3cret require_auth=scram-sha-256 target_session_attrs=prefer-standby"], 4, &["database d", NOBODY, "as u"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?sslmode=require"], 4, &["encrypts and verifies nothing", "sslmode=verify-full", NOBODY]),
    variables("transact-rs/sqlx#1009", &[("DATABASE_URL", "postgresql://127.0.0.1:1/d"), ("PGUSER", "u"), ("PGPASSWORD", SECRET)], 4, &["database d", NOBODY, "as u"]),
    variables("libpq manual", &[("PGHOST", "127.0.0.1,127.0.0.1"), ("PGPORT", "1,2"), ("PGUSER", "u"), ("PGAPPNAME", "x"), ("PGPASSWORD", SECRET)], 4, &["port 1 or 127.0.0.1, port 2, as u"]),
    variables("salsita/node-pg-migrate#1220", &[("DATABASE_URL", " "), ("PROFILE_LOADER_DATABASE_URL", ""), ("DATABASE_HOST", "127.0.0.1"), ("DATABASE_PORT", "1"), ("DATABASE_USER", "u"), ("DATABASE_PASSWORD", SECRET)], 4, &[NOBODY, "as u"]),
    // A name that may be a piece of a connection string is not shown.
    url("bug-ops/zeph#5969", &[URL, "postgresql://u%40s3cret:p@127.0.0.1:1/d"], 4, &["database d", NOBODY, "as …"]),
    // With TLS asked for in whatever words, the server has to have it.
    url("Cosmian/kms#1208", &[URL, "host=127.0.0.1 port=1 user=u sslmode = require sslrootcert=/no/such.pem password=s3cret"], 2, &["/no/such.pem"]),
    url("deadpool-rs/deadpool#154", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?ssl%6Dode=require&sslrootcert=/no/such.pem"], 2, &["/no/such.pem"]),
    url("preloopdev/preloop#60", &[URL, "postgresql://u:s3cret?x@127.0.0.1:1/d?sslmode=require&sslrootcert=%2Fno%2Fsuch%20one.pem"], 2, &["/no/such one.pem"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?sslmode=disable&sslmode=require&sslrootcert=/no/such.pem"], 2, &["/no/such.pem"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?ssl=true&sslmode=verify-full&sslrootcert=/no/such.pem"], 2, &["/no/such.pem"]),
    variables("eulerto/pgquarrel#70", &[("DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/d"), ("DATABASE_SSL", "true"), ("DATABASE_SSL_CA", "/no/such.pem")], 2, &["/no/such.pem"]),
    variables("eulerto/pgquarrel#70", &[("DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/d"), ("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/no/such.pem")], 2, &["/no/such.pem"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?ssl=true&sslrootcert=/no/such.pem"], 2, &["/no/such.pem"]),
    url("synth#324", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?options=-c%20search_path%3Dother"], 4, &["search_path", "--db-schema"]),
];

/// Refused before anybody is asked, with the cure.
#[rustfmt::skip]
const REFUSED: &[Case] = &[
    url("bug-ops/zeph#5969", &[URL, "postgresql://u:p@s3cret@127.0.0.1:1/d"], 2, &["%40"]),
    url("brianc/node-postgres#3145", &[URL, "postgresql://u:12/s3cret@127.0.0.1:1/d"], 2, &["%2F"]),
    url("maplibre/martin#210", &[URL, "postgresql://u:s3cret%zz@127.0.0.1:1/d"], 2, &["%25"]),
    url("SkeneTechnologies/skene#93", &[URL, "host=127.0.0.1;port=1;password=s3cret"], 2, &["semicolons"]),
    url("SkeneTechnologies/skene#93", &[URL, "sslmode=require;password=s3cret host=127.0.0.1"], 2, &["semicolons"]),
    url("SkeneTechnologies/skene#93", &[URL, "Server=127.0.0.1;Port=1;Password=s3cret"], 2, &["semicolons"]),
    url("tiagolauer/OwlSQL#69", &[URL, "host=127.0.0.1 password=my s3cret user=u"], 2, &["single quotes"]),
    url("tiagolauer/OwlSQL#69", &[URL, "dbname=postgresql://u:s3cret@127.0.0.1:1/d"], 2, &["dbname", "connection URL"]),
    variables("tiagolauer/OwlSQL#69", &[("DATABASE_HOST", "postgresql://u:s3cret@127.0.0.1:1/d")], 2, &["DATABASE_HOST", "DATABASE_URL"]),
    variables("tiagolauer/OwlSQL#69", &[("PGDATABASE", "postgresql://u:s3cret@127.0.0.1:1/d")], 2, &["PGDATABASE", "DATABASE_URL"]),
    url("SkeneTechnologies/skene#93", &[URL, "postgresql:/u:s3cret@127.0.0.1:1/d"], 2, &["slashes"]),
    url("SkeneTechnologies/skene#93", &[URL, "u:s3cret@127.0.0.1:1/d"], 2, &["neither"]),
    url("SkeneTechnologies/skene#93", &[URL, "u:s3cret@tcp(127.0.0.1:1)/d"], 2, &["neither"]),
    url("SkeneTechnologies/skene#93", &[URL, "jdbc:postgresql://127.0.0.1:1/d?user=u&password=s3cret"], 2, &["JDBC"]),
    url("SkeneTechnologies/skene#93", &[URL, "postgresql+psycopg2://u:s3cret@127.0.0.1:1/d"], 2, &["driver"]),
    url("SkeneTechnologies/skene#93", &[URL, "postgresql+asyncpg://u:s3cret@127.0.0.1:1/d"], 2, &["driver"]),
    url("SkeneTechnologies/skene#93", &[URL, "postgres+psycopg://u:s3cret@127.0.0.1:1/d"], 2, &["driver"]),
    url("SkeneTechnologies/skene#93", &[URL, "s3cret://u@127.0.0.1:1/d"], 2, &["another scheme"]),
    url("dani-garcia/vaultwarden#1910", &[URL, "\"postgresql://u:s3cret@127.0.0.1:1/d\""], 2, &["quotation marks"]),
    url("dani-garcia/vaultwarden#1910", &[URL, "psql 'postgresql://u:s3cret@127.0.0.1:1/d'"], 2, &["psql"]),
    url("dani-garcia/vaultwarden#1910", &[URL, " postgresql://u:s3cret@127.0.0.1:1/d"], 2, &["blank"]),
    url("dani-garcia/vaultwarden#1910", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d\n"], 2, &["line end"]),
    url("dani-garcia/vaultwarden#1910", &[URL, "POSTGRESQL://u:s3cret@127.0.0.1:1/d"], 2, &["lower case"]),
    url("prisma/quaint#133", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?schema=s3cret"], 2, &["schema", "--db-schema"]),
    url("prisma/quaint#133", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?pgbouncer=true"], 2, &["pgbouncer", "leave it out"]),
    url("shuttle-hq/synth#324", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?connection_limit=s3cret"], 2, &["connection_limit", "--connections"]),
    url("shuttle-hq/synth#324", &[URL, "postgresql://u:p@127.0.0.1:1/d?s3cret=1"], 2, &["no setting of libpq's"]),
    url("salsita/node-pg-migrate#1220", &[URL, ""], 2, &["--database-url is blank"]),
    url("treeverse/lakeFS#2302", &[URL, " "], 2, &["--database-url is blank"]),
    variables("salsita/node-pg-migrate#1220", &[("DATABASE_URL", ""), ("DATABASE_HOST", " ")], 2, &["no database is named"]),
    variables("transact-rs/sqlx#4261", &[("PGSERVICE", "app"), ("PGDATABASE", "d"), ("PGSERVICEFILE", "/no/such/file")], 2, &["/no/such/file"]),
    url("rust-postgres/rust-postgres#729", &[URL, "service=app servicefile=/no/such/file"], 2, &["/no/such/file"]),
    url("libpq manual", &[URL, "host=127.0.0.1 port=1 user=u password=s3cret require_auth=!gss,md5"], 2, &["require_auth"]),
    url("libpq manual", &[URL, "host=127.0.0.1 port=1 user=u target_session_attrs=s3cret"], 2, &["target_session_attrs"]),
    variables("tiagolauer/OwlSQL#69", &[("DATABASE_URL", "postgresql://127.0.0.1:s3cret/d")], 2, &["DATABASE_URL", "port"]),
    variables("clap-rs/clap#5591", &[("PROFILE_LOADER_DATABASE_URL", "u:s3cret@h")], 2, &["PROFILE_LOADER_DATABASE_URL"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?sslmode=require&sslmode=disable"], 2, &["sslmode", "more than once", "leave one of them out"]),
    url("libpq manual", &[URL, "postgresql://u:s3cret@127.0.0.1:1/d?ssl=true&sslmode=prefer"], 2, &["sslmode", "more than once"]),
    url("libpq manual", &[URL, "host=127.0.0.1 port=1 user=u sslmode=verify-full password=s3cret sslmode=allow sslmode=disable"], 2, &["sslmode", "more than once"]),
    url("libpq manual", &[URL, "host=127.0.0.1 port=1 user=u sslmode=verify-full password=s3cret requiressl=0"], 2, &["sslmode", "more than once"]),
    // Words in other places.
    url("SkeneTechnologies/skene#93", &["postgresql://u:s3cret@127.0.0.1:1/d"], 2, &["unexpected argument '…'"]),
    url("SkeneTechnologies/skene#93", &["--db-url=postgresql://u:s3cret@127.0.0.1:1/d"], 2, &["unexpected argument"]),
    url("SkeneTechnologies/skene#93", &["--db-schema", "postgresql://u:s3cret@127.0.0.1:1/d"], 2, &["--db-schema"]),
    variables("SkeneTechnologies/skene#93", &[("PROFILE_LOADER_COLOR", "postgresql://u:s3cret@127.0.0.1:1/d")], 2, &["'…' for 'PROFILE_LOADER_COLOR'"]),
];

fn command(case: &Case, options: &[&str]) -> Command {
    let mut command = binary();
    command.env_remove("PROFILE_LOADER_STRATEGY").env("HOME", "/no/such/home").env("RUST_LOG", "trace");
    command.args(["migrate", "status"]).args(options).args(case.words).envs(case.variables.iter().copied());
    command
}

fn assert_answer(output: &Output, case: &Case) {
    let name = format!("{}: {:?} {:?}\n{}", case.source, case.words, case.variables, output.stderr);
    assert_eq!(output.code, Some(case.code), "{name}");
    assert!(!format!("{}{}", output.stdout, output.stderr).contains(SECRET), "{name}");
    let mut rest = output.stderr.as_str();
    for said in case.said {
        let at = rest.find(said).unwrap_or_else(|| panic!("{said} is missing in {name}"));
        rest = &rest[at + said.len()..];
    }
}

#[test]
fn settings_are_understood_as_libpq_understands_them() {
    for case in UNDERSTOOD {
        assert_answer(&run(&mut command(case, &[])), case);
        assert_answer(&run(&mut command(case, &["--log-format", "json", "-v"])), case);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_cure() {
    for case in REFUSED {
        assert_answer(&run(&mut command(case, &[])), case);
        assert_answer(&run(&mut command(case, &["--log-format", "json", "-v"])), case);
    }
}

/// transact-rs/sqlx#1009
#[test]
fn variables_that_are_not_utf_8_are_refused_and_named() {
    let check = |name: &str| {
        let value = OsString::from_vec(b"postgresql://u:s3cret\xe9@127.0.0.1:1/d".to_vec());
        let output = run(binary().args(["migrate", "status"]).env(name, value).env("PGHOST", "127.0.0.1"));
        assert_eq!(output.code, Some(2), "{name}: {}", output.stderr);
        assert!(output.stderr.contains(name) && !output.stderr.contains(SECRET), "{}", output.stderr);
    };
    ["DATABASE_URL", "PROFILE_LOADER_DATABASE_URL", "DATABASE_HOST", "PGPASSWORD"]
        .into_iter()
        .for_each(check);
}

/// SkeneTechnologies/skene#93, tiagolauer/OwlSQL#69: connection settings where a file, a folder or a number belongs.
#[test]
fn settings_in_place_of_other_words_are_not_shown() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    for words in [
        &["validate", "postgresql://u:s3cret@127.0.0.1/d"][..],
        &["validate", "u:s3cret@127.0.0.1/d"],
        &["load", "host=127.0.0.1;password=s3cret", URL, "postgresql://127.0.0.1:1/d"],
        &["load", "password=s3cret", URL, "host=127.0.0.1"],
        &["load", "a.ndjson", "--connections", "postgresql://u:s3cret@127.0.0.1/d"],
        &["load", "a.ndjson", "--embedded=postgresql://u:s3cret@127.0.0.1/d"],
        &["load", "a.ndjson", "--embedded", "postgresql://u:s3cret@127.0.0.1/d"],
        &["validate", "a.ndjson", "--rejects", "postgresql://u:s3cret@127.0.0.1/d"],
        &["validate", "a.ndjson", "--report", "postgresql://u:s3cret@127.0.0.1/d.json"],
        &["validate", "a.ndjson", "--json-schema", "postgresql://u:s3cret@127.0.0.1/d"],
        &["runs", "show", "postgresql://u:s3cret@127.0.0.1/d"],
        &["postgresql://u:s3cret@127.0.0.1/d"],
    ] {
        let output = run(binary().args(words).current_dir(folder.path()));
        assert_eq!(output.code, Some(2), "{words:?}: {}", output.stderr);
        assert!(!output.stderr.contains(SECRET), "{words:?}: {}", output.stderr);
    }
    let left: Vec<_> = folder.path().read_dir().expect("it is readable").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// clap-rs/clap#5591, astral-sh/uv#3001, influxdata/influxdb#16246: what is typed wins, blank is not set, and a message
/// names the variable.
#[test]
fn an_option_wins_over_variables() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let there = "postgresql://u@127.0.0.1:1/there";
    let nobody = "postgresql://u@127.0.0.1:2/other";
    let check = |variables: &[(&str, &str)], words: &[&str], said: &str| {
        let mut command = binary();
        command.env_remove("PROFILE_LOADER_STRATEGY").env("PROFILE_LOADER_DB_WAIT", "0");
        let output = run(command.args(words).envs(variables.iter().copied()).current_dir(folder.path()));
        assert!(output.stderr.contains(said), "{variables:?} {words:?}: {}", output.stderr);
        output
    };
    let input = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.ndjson");
    let status = &["migrate", "status", URL, there][..];
    let load = |options: &[&'static str]| [&["load", input, URL, there, "--rejects", "r"], options].concat();
    let at_there = "database there at 127.0.0.1, port 1";
    check(&[("PROFILE_LOADER_EMBEDDED", "dir")], status, at_there);
    check(&[("PROFILE_LOADER_DATABASE_URL", nobody)], status, at_there);
    check(&[("DATABASE_URL", nobody)], status, at_there);
    check(&[("PROFILE_LOADER_DATABASE_URL", there), ("PROFILE_LOADER_EMBEDDED", "")], &status[..2], at_there);
    let embedded = check(
        &[("PROFILE_LOADER_DATABASE_URL", there), ("PATH", ""), ("PROFILE_LOADER_QUIET", "1")],
        &["migrate", "status", "--embedded=/dev/null/dir"],
        "/dev/null/dir",
    );
    assert!(!embedded.stderr.contains("there"), "{}", embedded.stderr);
    check(
        &[("PROFILE_LOADER_DATABASE_URL", there), ("PROFILE_LOADER_EMBEDDED", "dir")],
        &status[..2],
        "'PROFILE_LOADER_DATABASE_URL' cannot be used with 'PROFILE_LOADER_EMBEDDED'",
    );
    check(&[("PROFILE_LOADER_QUIET", "0")], &load(&["-v"]), at_there);
    check(&[("PROFILE_LOADER_QUIET", "1")], &load(&["-v"]), at_there);
    check(&[("PROFILE_LOADER_VERBOSE", "1")], &load(&["--quiet"]), at_there);
    check(&[("PROFILE_LOADER_QUIET", "no"), ("PROFILE_LOADER_VERBOSE", "1")], &load(&[]), at_there);
    check(
        &[("PROFILE_LOADER_QUIET", "1"), ("PROFILE_LOADER_VERBOSE", "1")],
        &load(&[]),
        "'PROFILE_LOADER_QUIET'",
    );
    check(
        &[("PROFILE_LOADER_CONNECTIONS", "4"), ("PROFILE_LOADER_STRATEGY", "bulk")],
        &load(&["--atomic"]),
        at_there,
    );
    check(&[("PROFILE_LOADER_ATOMIC", "1")], &load(&["--connections", "4"]), at_there);
    check(&[("PROFILE_LOADER_ATOMIC", "1")], &load(&["--strategy", "bulk"]), at_there);
    let both = [("PROFILE_LOADER_ATOMIC", "1"), ("PROFILE_LOADER_CONNECTIONS", "4")];
    check(&both, &load(&[]), "PROFILE_LOADER_CONNECTIONS");
    check(&[("PROFILE_LOADER_JOBS", "none")], &load(&["--jobs", "2"]), at_there);
    check(&[("PROFILE_LOADER_JOBS", " ")], &load(&[]), at_there);
    check(&[("PROFILE_LOADER_JOBS", "none")], &load(&[]), "'none' for 'PROFILE_LOADER_JOBS'");
    check(&[("PROFILE_LOADER_OUTPUT", "xml")], status, "database there");
    check(&[("PROFILE_LOADER_OUTPUT", "xml")], &["runs", "list"], "'xml' for 'PROFILE_LOADER_OUTPUT'");
}
