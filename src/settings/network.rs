//! How inputs over the network are read.

use std::{path::PathBuf, time::Duration};

#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// A file of header lines for the host that the inputs name.
    pub header_file: Option<PathBuf>,
    /// Whether inputs may come unencrypted from another machine.
    pub allow_http: bool,
    /// How long a server is waited for, since something last came from it.
    pub input_wait: Duration,
    /// A connection that gives nothing for so long is made anew.
    pub stall: Duration,
    /// How much is asked for at once; at least 1.
    pub range_bytes: u64,
}

impl NetworkSettings {
    /// Long enough for a connection to be worth its requests, short enough to hold several in memory.
    pub const RANGE_BYTES: u64 = 2 << 20;
}

impl Default for NetworkSettings {
    /// As the command line has it.
    fn default() -> Self {
        Self {
            header_file: None,
            allow_http: false,
            input_wait: Duration::from_secs(300),
            stall: Duration::from_secs(60),
            range_bytes: Self::RANGE_BYTES,
        }
    }
}
