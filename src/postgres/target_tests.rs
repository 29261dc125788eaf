//! Where settings come from, and what of them is shown.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

fn find(url: Option<&str>, variables: &[(&str, &str)]) -> Result<Target, TargetError> {
    let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
    Target::find(url, &env)
}

fn password(url: &str, variables: &[(&str, &str)]) -> Option<String> {
    let target = find(Some(url), variables).unwrap();
    target.hosts[0].password.clone().map(|password| String::from_utf8(password.0).unwrap())
}

#[test]
fn the_first_place_that_names_a_database_wins() {
    let all = [
        ("DATABASE_URL", "postgresql://u@b/two"),
        ("DATABASE_HOST", "c"),
        ("DATABASE_NAME", "three"),
        ("PGHOST", "d"),
        ("PGDATABASE", "four"),
        ("DATABASE_SCHEMA", "app"),
    ];
    let place = |url, variables| find(url, variables).unwrap().to_string();
    assert_eq!(place(Some("postgresql://u@a/one"), &all), "database one at a, port 5432, as u");
    assert_eq!(place(None, &all), "database two at b, port 5432, as u");
    assert!(place(None, &all[1..]).starts_with("database three at c, port 5432"));
    assert!(place(None, &all[3..]).starts_with("database four at d"));
    assert_eq!(find(None, &all).unwrap().db_schema.as_deref(), Some("app"));
    assert!(matches!(find(None, &[("PGHOST", "")]), Err(TargetError::Nothing)));
}

#[test]
fn what_a_place_leaves_out_comes_from_the_next() {
    let libpq = [("PGHOST", "h"), ("PGPORT", "7"), ("PGUSER", "u"), ("PGPASSWORD", "p"), ("PGDATABASE", "d")];
    let place = |url, variables: &[(&str, &str)]| find(url, variables).unwrap().to_string();
    assert_eq!(place(Some("postgresql://"), &libpq), "database d at h, port 7, as u");
    assert_eq!(place(Some("postgresql://v@i:8/e"), &libpq), "database e at i, port 8, as v");
    assert_eq!(place(Some("host=i port='' dbname=''"), &libpq), "database u at i, port 5432, as u");
    assert_eq!(password("postgresql://h/d", &libpq).as_deref(), Some("p"));
    assert_eq!(password("postgresql://u:q@h/d", &libpq).as_deref(), Some("q"));
    assert_eq!(password("host=h password=''", &libpq), None);
    let api = [
        ("DATABASE_URL", "postgresql://h"),
        ("DATABASE_PORT", "7"),
        ("DATABASE_NAME", "d"),
        ("DATABASE_USER", "u"),
        ("PGPORT", "8"),
    ];
    assert_eq!(place(None, &api), "database d at h, port 7, as u");
    assert_eq!(place(Some("postgresql://v@h"), &api), "database v at h, port 8, as v");
    let options = find(Some("host=h user=u"), &[("PGOPTIONS", "-c a.b=c"), ("PGAPPNAME", "x")]).unwrap();
    assert_eq!(options.config.get_options(), Some("-c a.b=c"));
    assert_eq!(options.config.get_application_name(), Some("x"));
    let attrs = find(Some("host=h user=u"), &[CA, ("PGTARGETSESSIONATTRS", "standby")]).unwrap();
    assert_eq!(attrs.session_attrs, SessionAttrs::Standby);
    find(Some("host=h user=u"), &[CA, ("PGTARGETSESSIONATTRS", "s3cret")]).unwrap_err();
    let methods = find(Some("host=h user=u"), &[CA, ("PGREQUIREAUTH", "scram-sha-256")]).unwrap();
    assert_ne!(methods.allowed_methods, AllowedMethods::all());
}

#[test]
fn blank_is_not_set_for_variables_and_an_error_for_options() {
    let place = |variables| find(None, variables).unwrap().to_string();
    let variables = [("DATABASE_URL", " "), ("DATABASE_HOST", "h"), ("DATABASE_USER", "u")];
    assert_eq!(place(&variables), "database u at h, port 5432, as u");
    for blank in ["", " ", "\n"] {
        let variables = [("PGDATABASE", "d"), ("PGHOST", "h")];
        assert!(matches!(find(Some(blank), &variables), Err(TargetError::Blank { .. })), "{blank:?}");
    }
    let env = |name: &str| {
        use std::os::unix::ffi::OsStringExt;
        (name == "DATABASE_URL").then(|| OsString::from_vec(b"postgresql://u:s3cr\xe9t@h".to_vec()))
    };
    let error = Target::find(None, &env).unwrap_err();
    assert!(matches!(error, TargetError::NotUtf8 { origin: "DATABASE_URL" }), "{error}");
}

#[test]
fn passwords_and_services_are_read_from_libpqs_files() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write(".pgpass", "h:5432:d:u:of-home\n*:*:*:w:of-all\n", 0o600);
    write(".pg_service.conf", "[app]\nhost=h\ndbname=d\nuser=u\nport=5432\n", 0o644);
    let other = write("other", "h:5432:d:u:of-other\n", 0o600);
    let open = write("open", "h:5432:d:u:of-open\n", 0o644);
    let home = [("HOME", home.path().to_str().unwrap())];
    assert_eq!(password("postgresql://u@h/d", &home).as_deref(), Some("of-home"));
    assert_eq!(password("postgresql://v@h/d", &home), None);
    assert_eq!(password(&format!("postgresql://u@h/d?passfile={other}"), &home).as_deref(), Some("of-other"));
    assert_eq!(
        password("host=h dbname=d user=u", &[home[0], ("PGPASSFILE", &other)]).as_deref(),
        Some("of-other")
    );
    let refused = find(Some("host=h dbname=d user=u"), &[home[0], ("PGPASSFILE", &open)]).unwrap();
    assert!(refused.hosts[0].password.is_none() && refused.warnings[0].contains("chmod 600"));
    let place = |url, variables: &[(&str, &str)]| find(url, variables).unwrap().to_string();
    assert_eq!(place(None, &[home[0], ("PGSERVICE", "app")]), "database d at h, port 5432, as u");
    assert_eq!(
        place(Some("service=app user=w"), &[home[0], ("PGDATABASE", "other")]),
        "database d at h, port 5432, as w"
    );
    assert_eq!(password("service=app user=w", &home).as_deref(), Some("of-all"));
    let error = find(Some("service=none"), &home).unwrap_err();
    assert!(matches!(error, TargetError::NoService { .. }), "{error}");
}

#[test]
fn passwords_are_read_from_files_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (file, empty) = (write("file", "of:file\r\n"), write("empty", "\n"));
    let (url, file) = (("DATABASE_URL", "postgresql://u@h/d"), ("DATABASE_PASSWORD_FILE", &*file));
    let of_variables = |variables: &[(&str, &str)]| {
        let target = find(None, variables).unwrap();
        target.hosts[0].password.clone().map(|password| String::from_utf8(password.0).unwrap())
    };
    assert_eq!(of_variables(&[url, file, ("PGPASSWORD", "p")]).as_deref(), Some("of:file"));
    assert_eq!(of_variables(&[("DATABASE_HOST", "h"), file]).as_deref(), Some("of:file"));
    // An option may name another server than the variables of the API.
    assert_eq!(password("host=h user=u", &[url, file]), None);
    let both = find(None, &[url, file, ("DATABASE_PASSWORD", "s3cret")]).unwrap_err();
    assert!(matches!(both, TargetError::TwoPasswords { .. }), "{both}");
    let error = find(None, &[url, ("DATABASE_PASSWORD_FILE", &empty)]).unwrap_err();
    assert!(matches!(error, TargetError::EmptyPasswordFile { .. }), "{error}");
    find(None, &[url, ("DATABASE_PASSWORD_FILE", "/no/such/file")]).unwrap_err();

    let credentials = ("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap());
    assert_eq!(password("host=h user=u", &[credentials]), None);
    write("database-password", "of systemd\n");
    assert_eq!(password("host=h user=u", &[credentials]).as_deref(), Some("of systemd"));
    assert_eq!(password("host=h user=u", &[credentials, ("PGPASSWORD", "p")]).as_deref(), Some("p"));
    assert_eq!(password("postgresql://u:q@h", &[credentials]).as_deref(), Some("q"));
}

const CA: (&str, &str) =
    ("DATABASE_SSL_CA", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem"));

fn mode(url: &str, variables: &[(&str, &str)]) -> Result<SslMode, TargetError> {
    find(Some(url), variables).map(|target| target.tls.mode_of(&target.hosts[0]))
}

fn check_mode(url: &str, variables: &[(&str, &str)], expected: SslMode) {
    assert_eq!(mode(url, variables).unwrap(), expected, "{url} {variables:?}");
}

#[test]
fn a_mode_means_what_it_means_in_libpq() {
    use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
    check_mode("postgresql://u@localhost/x", &[], Prefer);
    check_mode("postgresql://u@[::1]/x", &[], Prefer);
    check_mode("host=db.example hostaddr=127.0.0.1 user=u", &[], Prefer);
    check_mode("host=/run/postgresql user=u sslmode=require", &[], Disable);
    check_mode("postgresql://u@db.example/x", &[CA], VerifyFull);
    check_mode("postgresql://u@10.0.0.1/x", &[CA], VerifyFull);
    check_mode("postgresql://u@db.example/x?sslmode=disable&connect_timeout=3", &[], Disable);
    check_mode("postgresql://u@db.example/x?sslmode=allow", &[CA], Allow);
    check_mode("postgresql://u@db.example/x?sslmode=prefer", &[CA], Prefer);
    for required in [
        "host=localhost user=u sslmode = require",
        "postgresql://u@localhost/x?ssl%6Dode=require",
        "postgresql://u:a?b@localhost/x?sslmode=require",
        "postgresql://u@localhost/x?ssl=true",
        "host=localhost user=u requiressl=1",
    ] {
        check_mode(required, &[], Require);
        check_mode(required, &[CA], VerifyCa);
    }
    check_mode("host=localhost user=u sslmode=verify-ca", &[CA], VerifyCa);
    check_mode("host=localhost user='a b' sslmode='verify-full'", &[CA], VerifyFull);
    let error = mode("host=localhost user=u sslmode=verify-ca", &[]).unwrap_err().to_string();
    assert!(error.contains("sslrootcert=FILE"), "{error}");
    for wrong in
        ["?sslmode=no", "?sslmode=", "?sslrootcert=system&sslmode=prefer", "?ssl_min_protocol_version=9"]
    {
        mode(&format!("postgresql://u@localhost/x{wrong}"), &[]).unwrap_err();
    }
    for missing in [
        "postgresql://u@localhost/x?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch%20one.pem",
        r"host=localhost user=u sslmode=require sslrootcert=/no/such\ one.pem",
    ] {
        assert!(mode(missing, &[]).unwrap_err().to_string().contains("/no/such one.pem"));
    }
}

#[test]
fn no_place_lowers_a_mode_of_another() {
    use SslMode::{Disable, NoVerify, Prefer, Require, VerifyCa, VerifyFull};
    let plain = "postgresql://u@localhost/x";
    let ssl = |value| ("DATABASE_SSL", value);
    check_mode(plain, &[CA, ssl("true")], VerifyFull);
    check_mode(plain, &[ssl("false")], Disable);
    check_mode("postgresql://u@db.example/x", &[ssl("false")], Disable);
    check_mode(plain, &[CA, ssl("no-verify")], NoVerify);
    check_mode(plain, &[CA, ("PGSSLMODE", "verify-full")], VerifyFull);
    check_mode(plain, &[("PGREQUIRESSL", "1")], Require);
    check_mode(&format!("{plain}?sslmode=prefer"), &[CA, ssl("true")], VerifyFull);
    check_mode(&format!("{plain}?sslmode=require"), &[CA, ssl("no-verify")], VerifyCa);
    check_mode(&format!("{plain}?sslmode=require"), &[ssl("false"), ("PGSSLMODE", "disable")], Require);
    check_mode(plain, &[ssl("false"), ("PGSSLMODE", "require")], Require);
    check_mode(plain, &[CA, ssl("true"), ("PGSSLMODE", "disable")], VerifyFull);
    check_mode(&format!("{plain}?sslmode=prefer"), &[ssl("false")], Prefer);
    // As in libpq, its variable is for who says nothing.
    let off = format!("{plain}?sslmode=disable");
    check_mode(&off, &[CA, ("PGSSLMODE", "require")], Disable);
    let error = mode(&off, &[CA, ssl("true")]).unwrap_err();
    assert!(matches!(error, TargetError::Contradiction { .. }), "{error}");
    mode(&off, &[ssl("no-verify")]).unwrap_err();
    mode(&format!("{plain}?sslmode=verify-full&sslmode=require"), &[CA]).unwrap_err();
}

#[test]
fn what_is_not_verified_is_said() {
    let warnings =
        |url: &str, variables: &[(&str, &str)]| find(Some(url), variables).unwrap().warnings.join("\n");
    let remote = "host=db.example user=u sslmode";
    for (url, variables, words) in [
        (format!("{remote}=require"), &[][..], "sslmode=require encrypts and verifies nothing"),
        (
            "host=db.example user=u".to_owned(),
            &[("DATABASE_SSL", "no-verify")],
            "DATABASE_SSL=no-verify encrypts",
        ),
        (
            format!("{remote}=prefer sslrootcert={}", CA.1),
            &[],
            "prefer verifies nothing; use sslmode=verify-full",
        ),
    ] {
        let said = warnings(&url, variables);
        assert!(said.contains(words) && said.contains("sslmode=verify-full"), "{url}: {said}");
    }
    for (url, variables) in [
        (format!("{remote}=require"), &[CA][..]),
        (format!("{remote}=verify-full"), &[CA]),
        (format!("{remote}=prefer"), &[]),
        ("host=localhost user=u".to_owned(), &[]),
    ] {
        assert_eq!(warnings(&url, variables), "", "{url}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let target = find(Some("postgresql://u:s3cret@localhost/x"), &[]).unwrap();
    assert!(!format!("{target} {target:?} {:?}", target.hosts).contains("s3cret"));
    for (url, variable) in [
        ("postgresql://u:s3cret@localhost:port/x", ("X", "")),
        ("postgresql://u:p/s3cret@h/x", ("X", "")),
        ("postgresql://u:p@s3cret@h/x", ("X", "")),
        ("postgresql:///x?s3cret=1", ("X", "")),
        ("postgresql://h", ("PGDATABASE", "postgresql://u:s3cret@h/x")),
        ("dbname=postgresql://u:s3cret@h/x", ("X", "")),
        ("host=h;password=s3cret", ("X", "")),
        ("host=h sslmode=require;password=s3cret", ("X", "")),
        ("host=h password=a s3cret", ("X", "")),
        ("Host=h Password=s3cret", ("X", "")),
        ("host= password=s3cret", ("X", "")),
        ("host=h", ("DATABASE_SSL", "s3cret")),
        ("host=h", ("PGSSLMODE", "s3cret")),
        ("host=h user=u", ("PGPORT", "s3cret")),
    ] {
        let error = find(Some(url), &[variable]).map(|target| target.to_string()).expect_err(url);
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error:?}");
    }
}

#[test]
fn the_servers_words_do_not_show_them_either() {
    let long = format!("a@{}", "s3cret".repeat(20));
    let target =
        find(Some(&format!("host=h user=u@s3cret dbname={long} options='-c a.b=s3cret2'")), &[]).unwrap();
    assert!(!target.to_string().contains("s3cret"), "{target}");
    let words = format!("no user \"u@s3cret\" for \"{}\", value s3cret2", &long[..63]);
    assert_eq!(target.without_settings(words), "no user \"…\" for \"…\", value …");
}
