//! Places in the input.

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceLocation {
    /// Index of the source in the order they were named.
    pub(crate) source: usize,
    /// 1-based.
    pub(crate) line: u64,
    /// In the decompressed source.
    pub(crate) byte_offset: u64,
}
