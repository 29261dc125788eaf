//! The words about inputs over the network.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};

use super::values;
use crate::settings::NetworkSettings;

#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Send the headers in this file, one on each line, such as 'Authorization: Bearer TOKEN', to the server of the URLs;
    /// nobody else may be able to read the file
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_HEADER_FILE", hide_env = true)]
    header_file: Option<PathBuf>,
    /// How long to wait for a server that is down, overloaded or silent; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration, env = "PROFILE_LOADER_INPUT_WAIT", hide_env = true)]
    input_wait: Duration,
    /// Read http:// from other machines than this one, too: whoever is on the way can read and change what comes
    #[arg(long, env = "PROFILE_LOADER_ALLOW_HTTP", hide_env = true, value_parser = BoolishValueParser::new())]
    allow_http: bool,
    /// How long a connection may give nothing before it is made anew
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration, env = "PROFILE_LOADER_INPUT_STALL", hide = true)]
    input_stall: Duration,
    /// How much is asked for at once
    #[arg(long, value_name = "BYTES", value_parser = values::range_bytes, default_value_t = NetworkSettings::RANGE_BYTES, env = "PROFILE_LOADER_RANGE_BYTES", hide = true)]
    range_bytes: u64,
}

impl From<NetworkArgs> for NetworkSettings {
    fn from(args: NetworkArgs) -> Self {
        let NetworkArgs { header_file, input_wait, allow_http, input_stall, range_bytes } = args;
        Self { header_file, allow_http, input_wait, stall: input_stall, range_bytes }
    }
}
