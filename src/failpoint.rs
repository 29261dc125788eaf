//! Places where a test can make the program die, so that what a crash leaves behind is shown and not believed.
//!
//! Only with the feature `failpoints`; without it a failpoint is nothing. `FAILPOINTS="NAME=return"` aborts the
//! process the first time it gets there, `NAME=2*off->return` the third time, `NAME=panic` panics.

#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn failpoint(_: &str) {}
