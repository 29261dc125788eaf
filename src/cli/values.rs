//! Values that are more than a number or a word.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

use super::kinds;
use crate::settings::{Framing, FramingRequest, KindLimit, RejectLimit, RejectLimits};

/// A chunk and the longest line together have to stay below what an offset in a chunk can tell.
const CHUNK_BYTES_MAX: usize = 8 << 20;

/// A limit of `--max-rejects`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MaxRejects {
    All(RejectLimit),
    OfKind(KindLimit),
}

pub(super) fn max_rejects(text: &str) -> Result<MaxRejects, String> {
    let Some((kind, limit)) = text.rsplit_once('=') else { return reject_limit(text).map(MaxRejects::All) };
    let (code, pointer) = kinds::kind(kind)?;
    Ok(MaxRejects::OfKind(KindLimit { code, pointer, limit: reject_limit(limit.trim())? }))
}

fn reject_limit(text: &str) -> Result<RejectLimit, String> {
    let wrong = || "give a number of documents, or a share such as 0.5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(RejectLimit::Percent(percent)),
            _ => Err(wrong()),
        },
        None => text.parse().map(RejectLimit::Count).map_err(|_| wrong()),
    }
}

/// The last limit of all kinds counts, and every limit of a single kind.
pub(super) fn limits(given: Vec<MaxRejects>) -> RejectLimits {
    let mut limits = RejectLimits::of_all(RejectLimit::Unlimited);
    for limit in given {
        match limit {
            MaxRejects::All(all) => limits.all = all,
            MaxRejects::OfKind(kind) => limits.of_kinds.push(kind),
        }
    }
    limits
}

pub(super) fn report(text: &str) -> Result<PathBuf, String> {
    file_of(text, &["html", "csv", "json"])
}

pub(super) fn page(text: &str) -> Result<PathBuf, String> {
    file_of(text, &["html"])
}

/// The collector reads no other.
pub(super) fn metrics(text: &str) -> Result<PathBuf, String> {
    file_of(text, &["prom"])
}

fn file_of(text: &str, endings: &[&str]) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_known = |ending: &std::ffi::OsStr| endings.iter().any(|known| ending == *known);
    if path.extension().is_some_and(is_known) {
        Ok(path)
    } else {
        let endings: Vec<_> = endings.iter().map(|ending| format!(".{ending}")).collect();
        Err(format!("the form of the file is told by its name, which has to end in {}", endings.join(" or ")))
    }
}

pub(super) fn chunk_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (1..=CHUNK_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number from 1 to {CHUNK_BYTES_MAX}")),
    }
}

/// A batch is in memory three times.
const BATCH_BYTES_MAX: usize = 1 << 30;

pub(super) fn batch_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (1..=BATCH_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number from 1 to {BATCH_BYTES_MAX}")),
    }
}

/// Several are in memory at the same time.
const RANGE_BYTES_MAX: u64 = 64 << 20;

pub(super) fn range_bytes(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(bytes) if (1..=RANGE_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number from 1 to {RANGE_BYTES_MAX}")),
    }
}

/// A number alone is of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text)
            .map_err(|_| "give a time such as 30s, 5m or 2h, or a number of seconds".to_owned()),
    }
}

/// A number of bytes, or one with a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];
    let size = units.into_iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << shift).filter(|size| *size > 0)
    });
    size.ok_or_else(|| "give a number of bytes, or one with a unit such as 64MiB or 1GiB".to_owned())
}

/// Documents of each part are gathered at the same time.
const PARTS_MAX: u32 = 4096;

pub(super) fn parts(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=PARTS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("give a number from 1 to {PARTS_MAX}")),
    }
}

/// More threads than any machine has cores are a mistake.
const JOBS_MAX: usize = 1024;

pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=JOBS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("give a number from 1 to {JOBS_MAX}")),
    }
}

pub(super) fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=64).contains(&count) => Ok(count),
        _ => Err("give a number from 1 to 64".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FramingArg {
    Auto,
    Ndjson,
    Json,
}

impl From<FramingArg> for FramingRequest {
    fn from(argument: FramingArg) -> Self {
        match argument {
            FramingArg::Auto => Self::Auto,
            FramingArg::Ndjson => Self::Only(Framing::Ndjson),
            FramingArg::Json => Self::Only(Framing::Json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("-1").is_err() && duration("soon").is_err() && duration("").is_err());
    }

    #[test]
    fn sizes_have_units_or_are_bytes() {
        assert_eq!(size("1"), Ok(1));
        assert_eq!((size("3KiB"), size("128MiB"), size("1 GiB")), (Ok(3 << 10), Ok(128 << 20), Ok(1 << 30)));
        for wrong in ["", "0", "0MiB", "MiB", "-1", "1.5GiB", "99999999999TiB", "1MB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_numbers_or_shares() {
        assert_eq!(reject_limit("10"), Ok(RejectLimit::Count(10)));
        assert_eq!(reject_limit("0.5%"), Ok(RejectLimit::Percent(0.5)));
        for wrong in ["", "%", "-1", "101%", "NaN%", "1.5", "x"] {
            assert!(reject_limit(wrong).is_err(), "{wrong}");
        }
    }
}
