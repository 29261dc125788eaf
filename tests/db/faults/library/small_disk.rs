//! A small disk is full when it is said to be, and gone afterwards.

use std::{fs, io};

use crate::faults::SmallDisk;

#[test]
fn a_small_disk_fills_and_is_freed() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let path = folder.path().join("disk");
    fs::create_dir(&path).expect("the folder is ours");
    let disk = SmallDisk::mount(&path, 1 << 20);
    disk.fill_but(16 << 10);
    let write = |bytes: usize| fs::write(path.join("file"), vec![1; bytes]);
    let error = write(64 << 10).expect_err("no room is left");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    write(8 << 10).expect("so much room is left");
    disk.free();
    write(512 << 10).expect("there is room again");
    drop(disk);
    assert!(!path.exists(), "it is unmounted, and its folder gone");
    assert!(!fs::read_to_string("/proc/mounts").expect("Linux tells").contains(&path.display().to_string()));
}
