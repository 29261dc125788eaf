//! Bounds on what is read at once, which fuzz targets (`fuzz/`) reach with a few bytes.

/// `usual`, but with the feature `fuzzing`, which no release has.
pub(crate) const fn bound(usual: usize, fuzzed: usize) -> usize {
    if cfg!(feature = "fuzzing") { fuzzed } else { usual }
}
