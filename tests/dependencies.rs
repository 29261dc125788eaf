//! Licences, bans and sources of `deny.toml`, held against the tree that cargo has resolved: what `cargo deny check licenses bans
//! sources` does, without a tool that would have to be built first. Advisories need a network, and `cargo deny check advisories`.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct Rules {
    targets: Vec<String>,
    licences: BTreeSet<String>,
    banned: Vec<String>,
}

/// What of `deny.toml` is held here. A key that is not known here would be enforced by nobody.
fn rules() -> Rules {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
    let text = fs::read_to_string(path).expect("there is deny.toml");
    let table = DeTable::parse(&text).expect("it is TOML").into_inner();
    let mut rules = Rules { targets: Vec::new(), licences: BTreeSet::new(), banned: Vec::new() };
    for (section, entries) in &table {
        let entries = entries.get_ref().as_table().expect("sections only");
        for (key, value) in entries {
            let value = value.get_ref();
            match (&**section.get_ref(), &**key.get_ref()) {
                ("graph", "targets") => rules.targets = texts(value),
                ("licenses", "allow") => rules.licences = texts(value).into_iter().collect(),
                ("bans", "deny") => rules.banned = texts(value),
                ("bans", "wildcards") | ("sources", "unknown-registry" | "unknown-git") => {
                    assert_eq!(value.as_str(), Some("deny"), "{}", key.get_ref());
                }
                ("bans", "multiple-versions") => assert_eq!(value.as_str(), Some("warn")),
                ("advisories", _) => {}
                (section, key) => panic!("{section}.{key} of deny.toml is not known to this test"),
            }
        }
    }
    rules
}

fn texts(value: &DeValue<'_>) -> Vec<String> {
    let values = value.as_array().expect("a list");
    values.iter().map(|value| value.get_ref().as_str().expect("a text").to_owned()).collect()
}

/// The packages for one target.
fn packages(target: &str) -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    // All that a package has.
    cargo.args(["metadata", "--format-version", "1", "--locked", "--features", "cloud"]);
    cargo.args(["--filter-platform", target]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let is_resolved = |package: &&Value| {
        let nodes = metadata["resolve"]["nodes"].as_array().expect("a graph");
        nodes.iter().any(|node| node["id"] == package["id"])
    };
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().filter(is_resolved).cloned().collect()
}

/// What is wrong with a package.
fn fault(package: &Value, rules: &Rules) -> Option<String> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    if rules.banned.iter().any(|banned| banned == text("name")) {
        return Some("it is banned".to_owned());
    }
    // Of ours, which are nowhere but here, cargo has no source.
    if !package["source"].is_null() && text("source") != REGISTRY {
        return Some(format!("its source is {}", text("source")));
    }
    if !is_allowed(text("license"), &rules.licences) {
        return Some(format!("its licence is {:?}", package["license"]));
    }
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    let is_wild = |dependency: &&Value| dependency["req"] == "*" && dependency["path"].is_null();
    let wild = dependencies.iter().find(is_wild).filter(|_| package["source"].is_null());
    wild.map(|dependency| format!("it takes any version of {}", dependency["name"]))
}

/// Whether an SPDX expression can be met with the licences that are allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (is_met, rest) = any_of(&words, allowed);
    assert!(rest.is_empty(), "{expression:?} is an expression");
    is_met
}

fn any_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut is_met, mut rest) = all_of(words, allowed);
    while let ["OR", after @ ..] = rest {
        let (other, after) = all_of(after, allowed);
        is_met |= other;
        rest = after;
    }
    (is_met, rest)
}

fn all_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut is_met, mut rest) = one(words, allowed);
    while let ["AND", after @ ..] = rest {
        let (other, after) = one(after, allowed);
        is_met &= other;
        rest = after;
    }
    (is_met, rest)
}

fn one<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => {
            let (is_met, rest) = any_of(inner, allowed);
            let [")", rest @ ..] = rest else { panic!("a bracket is closed") };
            (is_met, rest)
        }
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, words),
    }
}

#[test]
fn dependencies_are_such_as_deny_toml_allows() {
    let rules = rules();
    assert!(!rules.targets.is_empty() && !rules.licences.is_empty() && !rules.banned.is_empty());
    let mut faults = BTreeSet::new();
    for target in &rules.targets {
        let packages = packages(target);
        assert!(packages.len() > 100, "{} packages for {target}", packages.len());
        for package in &packages {
            if let Some(fault) = fault(package, &rules) {
                faults.insert(format!("{} {}: {fault}", package["name"], package["version"]));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn what_is_not_allowed_is_found() {
    let rules = rules();
    let package = |source: &str, name: &str, licence: Value, req: &str| {
        let source = if source.is_empty() { Value::Null } else { source.into() };
        let dependencies = serde_json::json!([{"name": "x", "req": req, "path": null}]);
        serde_json::json!({"name": name, "source": source, "license": licence, "dependencies": dependencies})
    };
    for (package, expected) in [
        (package(REGISTRY, "serde", "MIT OR Apache-2.0".into(), "^1"), None),
        (package(REGISTRY, "openssl-sys", "MIT".into(), "^1"), Some("it is banned")),
        (
            package("git+https://example.org/x", "x", "MIT".into(), "^1"),
            Some("its source is git+https://example.org/x"),
        ),
        (
            package(REGISTRY, "x", "GPL-3.0-only".into(), "^1"),
            Some("its licence is String(\"GPL-3.0-only\")"),
        ),
        (package(REGISTRY, "x", Value::Null, "^1"), Some("its licence is Null")),
        (package("", "x", "MIT".into(), "*"), Some("it takes any version of \"x\"")),
    ] {
        assert_eq!(fault(&package, &rules).as_deref(), expected, "{package}");
    }
    for (expression, expected) in [
        ("MIT/Apache-2.0", true),
        ("(MIT OR GPL-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-2.0", false),
        ("GPL-2.0 OR (MIT AND BSD-3-Clause)", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0 WITH Classpath-exception-2.0 OR MIT", true),
        ("GPL-2.0 WITH Classpath-exception-2.0", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &rules.licences), expected, "{expression}");
    }
}
