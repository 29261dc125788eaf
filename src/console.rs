//! Messages on standard error: plain lines, or JSON lines for a log collector.
//!
//! The keys of JSON lines are documented (docs/operations.md) and only ever added to. Standard output is not touched here;
//! it carries results only.

use std::{
    io::{self, IsTerminal, Write as _},
    time::SystemTime,
};

use serde::Serialize;

use crate::path_text::visible_lines;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing at all: for whoever uses the library.
    Silent,
    /// Warnings and errors.
    Quiet,
    Normal,
    Verbose,
}

#[derive(Debug, Clone, Copy)]
pub struct Console {
    pub format: LogFormat,
    pub verbosity: Verbosity,
    pub is_coloured: bool,
}

#[derive(Serialize)]
struct JsonLine<'a, F> {
    time: String,
    level: &'a str,
    event: &'a str,
    message: &'a str,
    #[serde(flatten)]
    fields: Option<&'a F>,
}

/// What goes wrong at last.
#[derive(Serialize)]
struct FailureFields {
    exit_code: u8,
}

const NONE: Option<&()> = None;

impl Console {
    pub const SILENT: Self =
        Self { format: LogFormat::Text, verbosity: Verbosity::Silent, is_coloured: false };

    pub fn error(self, message: &str) {
        self.line("error", "31", "message", message, NONE);
    }

    /// The reason of an exit code.
    pub fn failure(self, message: &str, exit_code: u8) {
        self.line("error", "31", "failure", message, Some(&FailureFields { exit_code }));
    }

    pub fn warn(self, message: &str) {
        self.line("warning", "33", "message", message, NONE);
    }

    pub fn info(self, message: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.line("info", "", "message", message, NONE);
        }
    }

    pub fn detail(self, message: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.line("debug", "", "message", message, NONE);
        }
    }

    /// How far a run is; JSON lines have the figures by themselves as well.
    pub(crate) fn progress(self, message: &str, figures: &impl Serialize) {
        if self.verbosity >= Verbosity::Normal {
            self.line("info", "", "progress", message, Some(figures));
        }
    }

    /// How a run has ended, for who reads JSON lines only: others have the result on standard output.
    pub(crate) fn end(self, message: &str, figures: &impl Serialize) {
        if self.format == LogFormat::Json && self.verbosity >= Verbosity::Normal {
            self.line("info", "", "end", message, Some(figures));
        }
    }

    /// Whether a progress bar may be drawn.
    pub fn can_draw(self) -> bool {
        self.format == LogFormat::Text && io::stderr().is_terminal()
    }

    fn line(self, level: &str, colour: &str, event: &str, message: &str, fields: Option<&impl Serialize>) {
        if self.verbosity == Verbosity::Silent {
            return;
        }
        let message = &visible_lines(message);
        let line = match self.format {
            LogFormat::Text if colour.is_empty() => format!("{message}\n"),
            LogFormat::Text if self.is_coloured => format!("\x1b[1;{colour}m{level}:\x1b[0m {message}\n"),
            LogFormat::Text => format!("{level}: {message}\n"),
            LogFormat::Json => {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let line = JsonLine { time, level, event, message, fields };
                let mut line = serde_json::to_string(&line).expect("a log line is plain data");
                line.push('\n');
                line
            }
        };
        // There is no one left to tell when standard error is closed.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
