//! Many small entries, told apart by the high bits of their keys: few are kept in memory, more in a temporary file that
//! has no name any more, so nothing of it stays whatever ends the program.

use std::{
    env,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
};

/// A power of two; of a billion entries each has four million.
pub(super) const PARTITIONS: usize = 256;

/// Entries of a block, and what an entry takes.
const BLOCK_ENTRIES: usize = 256;
const ENTRY_BYTES: usize = 12;
const BLOCK_BYTES: usize = BLOCK_ENTRIES * ENTRY_BYTES;

/// About how much is written at once.
const WRITE_BYTES: usize = 64 << 10;

/// A key that is not 0, and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) content: u32,
}

#[derive(Debug)]
pub(super) struct Partitions {
    /// The last entries of each partition.
    buffers: Vec<Vec<Entry>>,
    file: Option<File>,
    /// Blocks that are still to be written.
    unwritten: Vec<u8>,
    /// Whose blocks stand in the file, and behind it in `unwritten`, in this order.
    blocks: Vec<u8>,
}

impl Default for Partitions {
    fn default() -> Self {
        Self { buffers: vec![Vec::new(); PARTITIONS], file: None, unwritten: Vec::new(), blocks: Vec::new() }
    }
}

impl Partitions {
    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        let partition = (entry.key >> (u64::BITS - PARTITIONS.ilog2())).to_le_bytes()[0];
        let buffer = &mut self.buffers[usize::from(partition)];
        buffer.push(entry);
        if buffer.len() < BLOCK_ENTRIES {
            return Ok(());
        }
        for entry in buffer.drain(..) {
            self.unwritten.extend_from_slice(&entry.key.to_le_bytes());
            self.unwritten.extend_from_slice(&entry.content.to_le_bytes());
        }
        self.blocks.push(partition);
        if self.unwritten.len() < WRITE_BYTES {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(nameless_file()?);
        }
        self.file.as_mut().expect("it was just made").write_all(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }

    /// All entries of a partition in the order they came.
    pub(super) fn entries(&self, partition: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let blocks = self.blocks.iter().enumerate().filter(|(_, of)| usize::from(**of) == partition);
        let written = self.blocks.len() - self.unwritten.len() / BLOCK_BYTES;
        let mut read = [0; BLOCK_BYTES];
        for (index, _) in blocks {
            let bytes = match (&self.file, index.checked_sub(written)) {
                (Some(file), None) => {
                    let offset = u64::try_from(index * BLOCK_BYTES).expect("a file has 64 bits");
                    file.read_exact_at(&mut read, offset)?;
                    &read[..]
                }
                (_, behind) => &self.unwritten[behind.unwrap_or(index) * BLOCK_BYTES..][..BLOCK_BYTES],
            };
            entries.extend(bytes.as_chunks::<ENTRY_BYTES>().0.iter().map(|bytes| Entry {
                key: u64::from_le_bytes(*bytes.first_chunk().expect("12 bytes")),
                content: u32::from_le_bytes(*bytes.last_chunk().expect("12 bytes")),
            }));
        }
        entries.extend_from_slice(&self.buffers[partition]);
        Ok(entries)
    }
}

fn nameless_file() -> io::Result<File> {
    let name = format!("profile-loader-{}-{:016x}", std::process::id(), fastrand::u64(..));
    let path = env::temp_dir().join(name);
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_their_order() {
        let mut partitions = Partitions::default();
        let entry =
            |index: u32| Entry { key: u64::from(index % 7 + 1) << 55 | u64::from(index), content: index };
        (1..=100_000).for_each(|index| partitions.push(entry(index)).unwrap());
        assert!(partitions.file.is_some());
        let mut found = 0;
        for partition in 0..PARTITIONS {
            let entries = partitions.entries(partition).unwrap();
            assert!(entries.is_sorted_by_key(|entry| entry.content));
            assert!(entries.iter().all(|one| *one == entry(one.content)));
            found += entries.len();
        }
        assert_eq!(found, 100_000);
    }
}
