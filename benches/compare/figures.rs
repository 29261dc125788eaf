//! What was measured, and how it is told: medians, the range, ratios, and the bars they are held to.

use crate::process::Finished;

/// One side's runs of the same work.
#[derive(Debug)]
pub(crate) struct Samples {
    name: String,
    seconds: Vec<f64>,
    /// Of the runs of which it is known.
    processor_seconds: Vec<f64>,
    peak_kib: Option<u64>,
}

/// What a ratio, or another figure, has to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// Whatever the loader does, and however much.
const PEAK_BAR_MIB: Bar = Bar::AtMost(256.0);

impl Samples {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), seconds: Vec::new(), processor_seconds: Vec::new(), peak_kib: None }
    }

    pub(crate) fn add(&mut self, finished: &Finished) {
        self.seconds.push(finished.seconds);
        self.processor_seconds.extend(finished.processor_seconds);
        self.peak_kib = self.peak_kib.max(finished.peak_kib);
    }

    /// The upper one where there are two in the middle; none where the side had no turn.
    fn median(&self) -> Option<f64> {
        median(&self.seconds)
    }

    fn peak_mib(&self) -> Option<f64> {
        let kib = u32::try_from(self.peak_kib?).expect("a process of less than 4 TiB");
        Some(f64::from(kib) / 1024.0)
    }

    fn print(&self) {
        let Some(median) = self.median() else { return };
        let least = self.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.seconds.iter().copied().fold(0.0, f64::max);
        let peak = self.peak_mib().map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0} MiB"));
        println!(
            "  {:<44} {:>8.2} s {:>8.2}–{:<8.2} {:>2} {:>10}",
            self.name,
            median,
            least,
            most,
            self.seconds.len(),
            peak
        );
    }
}

fn median(seconds: &[f64]) -> Option<f64> {
    let mut seconds = seconds.to_vec();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

pub(crate) fn title(text: &str) {
    println!("\n{text}");
}

pub(crate) fn table<'s>(sides: impl IntoIterator<Item = &'s Samples>) {
    println!("  {:<44} {:>10} {:>8}–{:<8} {:>2} {:>10}", "", "median", "min", "max", "n", "peak");
    sides.into_iter().for_each(Samples::print);
}

/// The time of `side` as a multiple of that of `reference`, where both had a turn.
pub(crate) fn ratio(side: &Samples, reference: &Samples, bar: Option<Bar>) {
    if let Some((time, reference_time)) = side.median().zip(reference.median()) {
        figure(&format!("{} / {}", side.name, reference.name), time / reference_time, "", bar);
    }
}

/// The peak of `side` as a multiple of that of `reference`, where both are known.
pub(crate) fn peak_ratio(side: &Samples, reference: &Samples, bar: Bar) {
    if let Some((peak, reference_peak)) = side.peak_mib().zip(reference.peak_mib()) {
        let what = format!("peak of {} / of {}", side.name, reference.name);
        figure(&what, peak / reference_peak, "", Some(bar));
    }
}

/// The peak memory of the loader, where it is known.
pub(crate) fn peak(side: &Samples) {
    if let Some(mib) = side.peak_mib() {
        figure(&format!("peak of {}", side.name), mib, " MiB", Some(PEAK_BAR_MIB));
    }
}

/// Whether the bar is kept, too.
pub(crate) fn rate(side: &Samples, documents: u64, bar: Bar) -> bool {
    let Some(seconds) = side.median() else { return true };
    let documents = u32::try_from(documents).map_or(f64::INFINITY, f64::from);
    figure(&side.name, documents / seconds, " documents/s", Some(bar));
    bar.is_kept(documents / seconds)
}

/// The same for each second of processor time, where that is known.
pub(crate) fn rate_of_a_core(side: &Samples, documents: u64, bar: Bar) {
    if let Some(seconds) = median(&side.processor_seconds) {
        let documents = u32::try_from(documents).map_or(f64::INFINITY, f64::from);
        figure(&side.name, documents / seconds, " documents/s of a core", Some(bar));
    }
}

pub(crate) fn figure(what: &str, value: f64, unit: &str, bar: Option<Bar>) {
    let verdict = bar.map_or_else(String::new, |bar| bar.verdict(value));
    println!("  {what}: {value:.2}{unit}{verdict}");
}

impl Bar {
    fn verdict(self, value: f64) -> String {
        let (words, bar) = match self {
            Self::AtMost(bar) => ("at most", bar),
            Self::AtLeast(bar) => ("at least", bar),
        };
        format!(" (bar {words} {bar}: {})", if self.is_kept(value) { "kept" } else { "MISSED" })
    }

    fn is_kept(self, value: f64) -> bool {
        match self {
            Self::AtMost(bar) => value <= bar,
            Self::AtLeast(bar) => value >= bar,
        }
    }
}
