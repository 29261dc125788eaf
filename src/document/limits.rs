//! How much a line and the tables hold of a document.

/// The longest line that is looked at as a document, in bytes without its line end; the longest document of other framings.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// So many zero bytes in a row are no text, whatever its encoding: nothing was written there.
pub const HOLE_BYTES_MIN: usize = 8;

/// In characters, as `varchar` counts.
pub const EMAIL_CHARS_MAX: usize = 320;
pub const NUMBER_CHARS_MAX: usize = 16;
pub const COUNTRY_CHARS_MAX: usize = 2;

/// The labels of a phone number's type, in order.
pub const PHONE_TYPES: [&str; 4] = ["mobile", "home", "work", "other"];
