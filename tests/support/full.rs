//! A disk without room.

use std::{path::Path, process::Command};

/// Makes a device like `/dev/full`, since links are not followed. False where this user may make no devices, and there is nothing
/// to test.
pub(crate) fn make_full(path: &Path) -> bool {
    let made = Command::new("mknod").arg(path).args(["c", "1", "7"]).output().expect("there is mknod");
    made.status.success()
}
