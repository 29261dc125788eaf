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

/// Room that is made for the longest line at once has at least so many bytes; those that nothing is written to take no memory.
/// glibc gives back at once what is above 32 MiB when it is freed. What is below and was mapped by itself makes it keep up to
/// twice as much of what is freed afterwards, for each thread (`M_MMAP_THRESHOLD` in mallopt(3)).
pub const LONG_ROOM_BYTES: usize = 33 << 20;
