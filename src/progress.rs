//! How far a run is: a bar on a terminal, a plain line now and then elsewhere. The only user of indicatif.
//!
//! It shows what it is told and computes no results.

use std::{
    cell::Cell,
    fmt,
    time::{Duration, Instant},
};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::console::{Console, Verbosity};

/// How often a line is written where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

const BAR: &str =
    "{prefix} {wide_bar} {percent:>3} %  {bytes}/{total_bytes}  {msg}  {elapsed_precise}, {eta} left";
const BAR_OF_UNKNOWN_LENGTH: &str = "{prefix} {spinner} {bytes}  {msg}  {elapsed_precise}";

const PHASE_BAR: &str = "{prefix} {wide_bar} {percent:>3} %  {msg}  {elapsed_precise}, {eta} left";

/// What a bar of a phase is divided into.
const PARTS: u64 = 1000;

/// What a line tells that a program reads.
#[derive(Serialize)]
struct Figures {
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents_per_second: Option<u64>,
    /// Whole per cent of the input or the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u64>,
}

pub(crate) struct Progress {
    view: View,
    console: Console,
    phase: &'static str,
    consumed: Cell<u64>,
    total_bytes: Option<u64>,
    started: Instant,
    last_line: Cell<Instant>,
    documents: Cell<u64>,
    rejected: Cell<u64>,
}

enum View {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl View {
    fn notice(&self, console: Console, words: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| console.warn(words)),
            Self::Nothing | Self::Lines => console.warn(words),
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

impl Progress {
    /// `total_bytes` is how long the inputs are as they are stored, where that is known.
    pub(crate) fn start(console: Console, phase: &'static str, total_bytes: Option<u64>) -> Self {
        let view = if console.verbosity <= Verbosity::Quiet {
            View::Nothing
        } else if console.can_draw() {
            View::Bar(bar(phase, total_bytes))
        } else {
            View::Lines
        };
        let now = Instant::now();
        Self {
            view,
            console,
            phase,
            consumed: Cell::new(0),
            total_bytes,
            started: now,
            last_line: Cell::new(now),
            documents: Cell::new(0),
            rejected: Cell::new(0),
        }
    }

    /// Takes in what is done with: documents, those rejected, and the stored bytes they took.
    pub(crate) fn update(&self, documents: u64, rejected: u64, consumed: u64) {
        self.consumed.set(consumed);
        self.documents.set(documents);
        self.rejected.set(rejected);
        self.tick();
    }

    /// Shows what there is to show; called now and then even while nothing is counted.
    pub(crate) fn tick(&self) {
        match &self.view {
            View::Nothing => {}
            View::Bar(bar) => {
                bar.set_position(self.consumed.get());
                bar.set_message(self.counts());
            }
            View::Lines => {
                if self.last_line.get().elapsed() >= LINE_EVERY {
                    self.last_line.set(Instant::now());
                    self.console.progress(&self.line(), &self.figures());
                }
            }
        }
    }

    /// Tells something besides, without spoiling the bar.
    pub(crate) fn notice(&self, words: &str) {
        self.view.notice(self.console, words);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.view.finish();
    }

    fn counts(&self) -> String {
        format!(
            "{} documents, {} rejected, {}/s",
            HumanCount(self.documents.get()),
            HumanCount(self.rejected.get()),
            HumanCount(self.rate())
        )
    }

    /// Documents a second.
    fn rate(&self) -> u64 {
        let milliseconds = self.started.elapsed().as_millis().max(1);
        u64::try_from(u128::from(self.documents.get()) * 1000 / milliseconds).unwrap_or(u64::MAX)
    }

    fn figures(&self) -> Figures {
        let total = self.total_bytes.filter(|total| *total > 0);
        let percent = total.map(|total| {
            let percent = u128::from(self.consumed.get().min(total)) * 100 / u128::from(total);
            u64::try_from(percent).expect("at most 100")
        });
        Figures {
            phase: self.phase,
            documents: Some(self.documents.get()),
            rejected: Some(self.rejected.get()),
            documents_per_second: Some(self.rate()),
            percent,
        }
    }

    fn line(&self) -> String {
        let mut line = self.counts();
        let consumed = self.consumed.get();
        if let Some(total) = self.total_bytes
            && total > 0
            && consumed > 0
        {
            let consumed = consumed.min(total);
            let per_cent = u128::from(consumed) * 100 / u128::from(total);
            let milliseconds =
                self.started.elapsed().as_millis() * u128::from(total - consumed) / u128::from(consumed);
            let left = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX));
            line = format!("{line}, {per_cent} %, about {} left", HumanDuration(left));
        }
        line
    }
}

/// How far a part of a run is that has no documents to count.
pub(crate) struct PhaseProgress {
    view: View,
    console: Console,
    phase: &'static str,
    started: Instant,
    last_line: Cell<Instant>,
}

impl fmt::Debug for PhaseProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhaseProgress").finish_non_exhaustive()
    }
}

impl PhaseProgress {
    pub(crate) fn start(console: Console, phase: &'static str) -> Self {
        let view = if console.verbosity <= Verbosity::Quiet {
            View::Nothing
        } else if console.can_draw() {
            View::Bar(draw(ProgressBar::new(PARTS).with_style(style(PHASE_BAR)), phase))
        } else {
            View::Lines
        };
        let now = Instant::now();
        Self { view, console, phase, started: now, last_line: Cell::new(now) }
    }

    /// `share` is what is done of the work, from 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "one of a thousand parts"
    )]
    pub(crate) fn show(&self, share: f64, what: &str) {
        match &self.view {
            View::Nothing => {}
            View::Bar(bar) => {
                bar.set_position((share * PARTS as f64) as u64);
                bar.set_message(what.to_owned());
            }
            View::Lines => {
                if self.last_line.get().elapsed() >= LINE_EVERY {
                    self.last_line.set(Instant::now());
                    self.console.progress(&self.line(share, what), &self.figures(share));
                }
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole per cent")]
    fn figures(&self, share: f64) -> Figures {
        Figures {
            phase: self.phase,
            documents: None,
            rejected: None,
            documents_per_second: None,
            percent: Some((share * 100.0) as u64),
        }
    }

    fn line(&self, share: f64, what: &str) -> String {
        let left = self.started.elapsed().as_secs_f64() * (1.0 - share) / share.max(0.001);
        let left = HumanDuration(Duration::from_secs_f64(left));
        format!("{}: {:.0} %, about {left} left, now {what}", self.phase, share * 100.0)
    }

    /// Tells something besides, without spoiling the bar.
    pub(crate) fn notice(&self, words: &str) {
        self.view.notice(self.console, words);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.view.finish();
    }
}

fn bar(phase: &'static str, total_bytes: Option<u64>) -> ProgressBar {
    let bar = match total_bytes {
        Some(total) => ProgressBar::new(total).with_style(style(BAR)),
        None => ProgressBar::new_spinner().with_style(style(BAR_OF_UNKNOWN_LENGTH)),
    };
    draw(bar, phase)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is tested")
}

fn draw(bar: ProgressBar, phase: &'static str) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.with_prefix(phase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::LogFormat;

    #[test]
    fn templates_are_understood_and_lines_tell_the_share() {
        bar("x", Some(1));
        bar("x", None);
        style(PHASE_BAR);
        let console = Console { format: LogFormat::Text, verbosity: Verbosity::Quiet, is_coloured: false };
        let progress = Progress::start(console, "validate", Some(100));
        progress.update(12_345, 6, 25);
        let line = progress.line();
        assert!(
            line.starts_with("12,345 documents, 6 rejected, ") && line.contains(", 25 %, about "),
            "{line}"
        );
        let figures = serde_json::to_value(progress.figures()).unwrap();
        assert_eq!(
            (&figures["phase"], &figures["documents"], &figures["rejected"], &figures["percent"]),
            (&"validate".into(), &12_345.into(), &6.into(), &25.into())
        );
        let figures = serde_json::to_value(PhaseProgress::start(console, "indexes").figures(0.999)).unwrap();
        assert_eq!(figures, serde_json::json!({"phase": "indexes", "percent": 99}));
    }
}
