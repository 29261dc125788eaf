//! The page's pictures, as SVG without text that has to be read: the same figures stand in a table beside each.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::{
    data_table,
    shown::{documents, percent},
};
use crate::report::{ErrorGroup, LineCells, RunReport, grouped};

/// How many bars the pictures of the whole input have, about.
const BINS: usize = 150;

/// Bars of a kind of fault.
const SMALL_BINS: usize = 48;

/// Accepted and rejected documents along the input.
pub(super) fn along_the_input(report: &RunReport) -> Markup {
    let axis = Axis::of(report);
    if report.documents.read == 0 || axis.lines == 0 {
        return Markup::default();
    }
    let bins = BINS.min(usize::try_from(axis.lines).unwrap_or(BINS));
    let (read, rejected) = (axis.bins(&report.read_at, bins), axis.bins(&report.rejected_at, bins));
    let shares: Vec<_> = read.iter().zip(&rejected).map(|(read, rejected)| share(*rejected, *read)).collect();
    let (most_read, most_share) = (maximum(&read), maximum(&shares));
    let (width, step) = (900.0, 900.0 / to_f64(bins));
    let mut accepted_bars = String::new();
    let (mut rejected_bars, mut share_bars) = (String::new(), String::new());
    for index in 0..bins {
        let x = to_f64(index) * step;
        let height = scaled(read[index], most_read, 110.0);
        let bad = scaled(rejected[index].min(read[index]), most_read, 110.0);
        bar(&mut accepted_bars, x, step, 120.0, height);
        bar(&mut rejected_bars, x, step, 120.0, bad);
        bar(&mut share_bars, x, step, 200.0, scaled(shares[index], most_share, 55.0));
    }
    let description = format!(
        "{} of {} are rejected. At most {:.2} % of the documents of a stretch are.",
        grouped(report.documents.rejected),
        documents(report.documents.read),
        most_share * 100.0
    );
    let row = |index: usize| {
        let (from, to) = axis.lines_of(index, bins);
        vec![
            format!("{} to {}", grouped(from), grouped(to)),
            grouped(whole(read[index])),
            grouped(whole(rejected[index])),
            format!("{:.2} %", shares[index] * 100.0),
        ]
    };
    html! {
        section aria-labelledby="along" {
            h2 id="along" { "Along the input" }
            figure role="img" aria-labelledby="along-title along-text" {
                figcaption id="along-title" { "Accepted and rejected documents from the first line to the last" }
                svg viewBox="0 0 900 216" aria-hidden="true" {
                    rect.f-ground x="0" y="0" width=(width) height="120" {}
                    path.f-accepted d=(accepted_bars) {}
                    path.f-rejected d=(rejected_bars) {}
                    rect.f-ground x="0" y="140" width=(width) height="60" {}
                    path.f-rejected d=(share_bars) {}
                    path.s-line d="M0 120.5H900M0 200.5H900" {}
                    text x="0" y="134" { "above: documents, the rejected ones dark at the bottom" }
                    text x="0" y="213" { (format!("above: share of rejected documents, up to {:.2} %", most_share * 100.0)) }
                }
                p.quiet id="along-text" { (description) }
            }
            (data_table("The same as a table", &["Lines", "Documents", "Rejected", "Share"], (0..bins).map(row)))
            (elsewhere(report))
        }
    }
}

fn elsewhere(report: &RunReport) -> Markup {
    let left = report.read_at.elsewhere();
    if left == 0 {
        return Markup::default();
    }
    html! { p.quiet { (documents(left)) " of later sources are not in the picture, for there are too many sources." } }
}

/// Documents over time.
pub(super) fn over_time(report: &RunReport) -> Markup {
    let Some(timeline) = &report.timeline else { return Markup::default() };
    if timeline.documents.len() < 2 {
        return Markup::default();
    }
    let rates: Vec<f64> =
        timeline.documents.iter().map(|count| float(*count) / timeline.stretch_seconds).collect();
    let most = maximum(&rates);
    let step = 900.0 / to_f64(rates.len());
    let mut bars = String::new();
    for (index, rate) in rates.iter().enumerate() {
        bar(&mut bars, to_f64(index) * step, step, 100.0, scaled(*rate, most, 92.0));
    }
    let row = |(index, count): (usize, &u64)| {
        let from = to_f64(index) * timeline.stretch_seconds;
        vec![
            format!("{from:.2} to {:.2} s", from + timeline.stretch_seconds),
            grouped(*count),
            grouped(whole(rates[index])),
        ]
    };
    html! {
        section aria-labelledby="time" {
            h2 id="time" { "Over time" }
            figure role="img" aria-labelledby="time-title time-text" {
                figcaption id="time-title" { "Documents a second, from the start to the end of the input" }
                svg viewBox="0 0 900 102" aria-hidden="true" {
                    rect.f-ground x="0" y="0" width="900" height="100" {}
                    path.f-bar d=(bars) {}
                    path.s-line d="M0 100.5H900" {}
                }
                p.quiet id="time-text" {
                    (format!(
                        "{} documents a second on average, at most {} in a stretch of {} s.",
                        grouped(whole(report.throughput.documents_per_second)),
                        grouped(whole(most)),
                        timeline.stretch_seconds
                    ))
                }
            }
            (data_table(
                "The same as a table",
                &["Time", "Documents", "Documents a second"],
                timeline.documents.iter().enumerate().map(row),
            ))
        }
    }
}

/// Where in the input the documents of a kind of fault are.
pub(super) fn histogram(report: &RunReport, group: &ErrorGroup) -> Markup {
    let axis = Axis::of(report);
    let bins = SMALL_BINS.min(usize::try_from(axis.lines).unwrap_or(SMALL_BINS)).max(1);
    let counts = axis.bins(&group.at, bins);
    let most = maximum(&counts);
    let step = 240.0 / to_f64(bins);
    let mut bars = String::new();
    for (index, count) in counts.iter().enumerate() {
        bar(&mut bars, to_f64(index) * step, step, 30.0, scaled(*count, most, 30.0));
    }
    let touched = counts.iter().filter(|count| **count > 0.0).count();
    let text = format!(
        "Found in {touched} of {bins} equal stretches of the input ({})",
        percent(group.documents, report.documents.read)
    );
    html! {
        svg.small viewBox="0 0 240 31" role="img" aria-label=(text) {
            rect.f-ground x="0" y="0" width="240" height="30" {}
            path.f-rejected d=(PreEscaped(bars)) {}
            path.s-line d="M0 30.5H240" {}
        }
    }
}

/// All lines of the input, one source after another.
struct Axis {
    /// Where each source begins.
    starts: Vec<u64>,
    lines: u64,
}

impl Axis {
    fn of(report: &RunReport) -> Self {
        let mut lines = 0;
        let start = |input: &crate::report::Input| {
            let start = lines;
            lines += input.lines;
            start
        };
        let starts = report.inputs.iter().map(start).collect();
        Self { starts, lines }
    }

    /// Counts by equal stretches; those of a cell that lies in several are shared out evenly.
    fn bins(&self, cells: &LineCells, bins: usize) -> Vec<f64> {
        let mut counts = vec![0.0; bins];
        let width = float(self.lines) / to_f64(bins);
        for (source, first, lines, count) in cells.stretches() {
            let Some(&start) = self.starts.get(source) else { continue };
            let end_of_source = self.starts.get(source + 1).copied().unwrap_or(self.lines);
            let from = (start + first - 1).min(self.lines);
            let to = from.saturating_add(lines).min(end_of_source).max(from + 1);
            let each = float(count) / float(to - from);
            let last = index_of(float(to) / width, bins);
            for (bin, sum) in
                counts.iter_mut().enumerate().take(last + 1).skip(index_of(float(from) / width, bins))
            {
                let within =
                    (float(to).min(to_f64(bin + 1) * width) - float(from).max(to_f64(bin) * width)).max(0.0);
                *sum += each * within;
            }
        }
        counts
    }

    /// The lines of a bin, counted from 1 over all sources.
    fn lines_of(&self, bin: usize, bins: usize) -> (u64, u64) {
        let width = float(self.lines) / to_f64(bins);
        (whole((to_f64(bin) * width).floor()) + 1, whole((to_f64(bin + 1) * width).floor()).max(1))
    }
}

fn bar(path: &mut String, x: f64, width: f64, bottom: f64, height: f64) {
    if height > 0.0 {
        // What is there is seen, however little it is.
        let height = height.max(0.6);
        let width = if width > 3.0 { width - 0.6 } else { width };
        let _ = write!(path, "M{x:.1} {bottom:.1}h{width:.1}v-{height:.1}h-{width:.1}z");
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).min(1.0) } else { 0.0 }
}

fn scaled(value: f64, most: f64, height: f64) -> f64 {
    if most > 0.0 { value / most * height } else { 0.0 }
}

fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn index_of(place: f64, bins: usize) -> usize {
    usize::try_from(whole(place.floor())).unwrap_or(0).min(bins - 1)
}

#[expect(clippy::cast_precision_loss, reason = "pictures are drawn to a tenth of a point")]
fn float(count: u64) -> f64 {
    count as f64
}

fn to_f64(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and shown as a whole number"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}
