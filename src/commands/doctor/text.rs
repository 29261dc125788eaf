//! What `doctor` found, as text.

use std::fmt::{self, Write as _};

use super::{Diagnosis, Expected};
use crate::{
    commands::preflight::{Connections, Finding, Severity},
    path_text::visible,
    report::grouped,
};

pub(super) fn text(diagnosis: &Diagnosis) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(diagnosis, &mut out);
    out
}

fn write(diagnosis: &Diagnosis, out: &mut String) -> fmt::Result {
    writeln!(out, "{}", visible(&diagnosis.target))?;
    let width = diagnosis.settings.iter().map(|one| one.keyword.len()).max().unwrap_or_default();
    for one in &diagnosis.settings {
        let value = one.value.as_deref().unwrap_or("(not shown)");
        writeln!(out, "  {:width$}  {}  from {}", one.keyword, visible(value), visible(&one.origin))?;
    }
    if let Some(server) = &diagnosis.server {
        let kind = if server.is_standby { "a standby" } else { "a primary" };
        let tls = diagnosis.tls.as_deref().unwrap_or("no TLS");
        writeln!(out, "{}, {kind}, encoding {}, {tls}", server.version, server.encoding)?;
        let login = if server.login_role == server.role {
            String::new()
        } else {
            format!(", logged in as {}", visible(&server.login_role))
        };
        let superuser = if server.is_superuser { ", a superuser" } else { "" };
        writeln!(out, "role {}{superuser}{login}", visible(&server.role))?;
    }
    if let Some(connections) = &diagnosis.connections {
        write_connections(connections, out)?;
    }
    write_tables(diagnosis, out)?;
    if let Some(expected) = &diagnosis.expected {
        write_expected(expected, out)?;
    }
    out.push('\n');
    for finding in &diagnosis.findings {
        write_finding(finding, out)?;
    }
    let refusing = diagnosis.findings.iter().filter(|one| one.severity > Severity::Warning).count();
    let warnings = diagnosis.findings.len() - refusing;
    let end = match (refusing, warnings) {
        (0, 0) => "ready: nothing is in the way of a load".to_owned(),
        (0, warnings) => format!("ready: nothing is in the way of a load ({warnings} warnings)"),
        (1, _) => "not ready: 1 thing is in the way of a load".to_owned(),
        (several, _) => format!("not ready: {several} things are in the way of a load"),
    };
    writeln!(out, "{}", end.replace("(1 warnings)", "(1 warning)"))
}

fn write_connections(connections: &Connections, out: &mut String) -> fmt::Result {
    let Connections { of_server, in_use, of_role, of_database, free, wanted, .. } = connections;
    let limit =
        |limit: &Option<i32>, of: &str| limit.map_or_else(String::new, |n| format!(", {n} of the {of}"));
    writeln!(
        out,
        "connections: {of_server} of the server{}{}; {in_use} in use, {free} free for the role; a load makes up to {wanted}",
        limit(of_role, "role"),
        limit(of_database, "database")
    )
}

fn write_tables(diagnosis: &Diagnosis, out: &mut String) -> fmt::Result {
    let Some(tables) = &diagnosis.tables else { return Ok(()) };
    let schema = visible(&diagnosis.db_schema);
    let are_there = if tables.are_there { "there" } else { "not there" };
    let ledger = match tables.ledger_version {
        Some(version) => format!("ledger version {version}"),
        None if tables.is_ledger_unreadable => "a ledger that the role may not read".to_owned(),
        None => "no ledger".to_owned(),
    };
    writeln!(out, "tables of schema {schema}: {are_there}; {ledger}")?;
    if !tables.ddl.is_empty() {
        writeln!(out, "a load would apply first: {}", tables.ddl.join("; "))?;
    }
    Ok(())
}

fn write_expected(expected: &Expected, out: &mut String) -> fmt::Result {
    let Expected { strategy, because, server_memory_mib, seconds } = expected;
    write!(
        out,
        "a load would use {strategy}, because {because}; up to {} MiB of the server's memory",
        grouped(u64::try_from(*server_memory_mib).unwrap_or_default())
    )?;
    match seconds {
        Some(seconds) => writeln!(out, "; 1,000,000 documents take about {seconds:.0} s, by earlier runs"),
        None => writeln!(out),
    }
}

fn write_finding(finding: &Finding, out: &mut String) -> fmt::Result {
    let Finding { code, severity, what, sql, .. } = finding;
    let severity = match severity {
        Severity::Refused => "in the way",
        Severity::Temporary => "in the way now",
        Severity::Warning => "warning",
    };
    writeln!(out, "{severity}: {code}\n  {}", visible(what))?;
    if !sql.is_empty() {
        writeln!(out, "  somebody who may has to run:")?;
    }
    for statement in sql {
        for (index, line) in statement.lines().enumerate() {
            let is_last = index + 1 == statement.lines().count();
            let end = if is_last && !line.ends_with(';') { ";" } else { "" };
            writeln!(out, "    {}{end}", visible(line))?;
        }
    }
    out.push('\n');
    Ok(())
}
