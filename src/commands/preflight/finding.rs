//! What was found that is in the way of a load, or may be, with what changes it.

use std::fmt;

use serde::Serialize;

/// How much a finding is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// A load begins all the same.
    Warning,
    /// It may pass without anybody doing anything.
    Temporary,
    /// Somebody has to change it.
    Refused,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What kind of thing it is; stable.
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: String,
    /// Statements that change it, for somebody who may run them; or where that is no SQL, it stands in `what`.
    pub(crate) sql: Vec<String>,
    /// What stands for the statements in a message of one line, where they are too long for it.
    #[serde(skip)]
    pub(crate) sql_in_short: Option<&'static str>,
}

impl Finding {
    pub(crate) fn new(code: &'static str, severity: Severity, what: impl Into<String>) -> Self {
        Self { code, severity, what: what.into(), sql: Vec::new(), sql_in_short: None }
    }

    pub(crate) fn refused(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(code, Severity::Refused, what)
    }

    #[must_use]
    pub(crate) fn with_sql(self, sql: Vec<String>) -> Self {
        Self { sql, ..self }
    }
}

/// In one line: what it is, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (self.sql_in_short, &*self.sql) {
            (Some(words), _) => write!(f, "; {words}"),
            (None, []) => Ok(()),
            (None, sql) => write!(f, "; somebody who may has to run: {}", sql.join("; ")),
        }
    }
}

/// Those that keep a load from beginning, in one line; none where nothing does.
pub(crate) fn in_the_way(findings: &[Finding]) -> Option<(Severity, String)> {
    let refusing: Vec<_> = findings.iter().filter(|one| one.severity > Severity::Warning).collect();
    let severity = refusing.iter().map(|one| one.severity).max()?;
    let text = match &*refusing {
        [one] => one.to_string(),
        several => {
            let numbered = several.iter().zip(1..).map(|(one, number)| format!("({number}) {one}"));
            format!(
                "{} things are in the way ('profile-loader doctor' lists them): {}",
                several.len(),
                numbered.collect::<Vec<_>>().join("; ")
            )
        }
    };
    Some((severity, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_told_all_at_once() {
        let warning = Finding::new("a", Severity::Warning, "slow");
        let grant = Finding::refused("b", "a privilege is missing").with_sql(vec!["GRANT x".to_owned()]);
        let passing = Finding::new("c", Severity::Temporary, "a loader is at work");
        let told = |findings: &[&Finding]| {
            in_the_way(&findings.iter().map(|one| (*one).clone()).collect::<Vec<_>>())
        };
        assert_eq!(told(&[&warning]), None);
        assert_eq!(
            told(&[&warning, &grant]),
            Some((
                Severity::Refused,
                "a privilege is missing; somebody who may has to run: GRANT x".to_owned()
            ))
        );
        let (severity, text) = told(&[&passing, &grant]).expect("two");
        assert_eq!(severity, Severity::Refused);
        assert!(text.contains("2 things") && text.contains("(1) a loader is at work; (2) a priv"), "{text}");
    }
}
