//! The words of `map`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::{network::NetworkArgs, values::FramingArg};
use crate::{commands::MapRequest, settings::DocumentSettings};

#[derive(Debug, Args)]
pub(super) struct MapArgs {
    /// The jq filter, as --map takes it
    #[arg(value_name = "FILE.jq")]
    pub(super) map: PathBuf,
    /// Files of JSON documents, quoted globs, https:// URLs, or - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub(super) inputs: Vec<OsString>,
    /// How many documents are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) first: usize,
    /// Show the documents, with customers' values, even where standard output is no terminal
    #[arg(long)]
    pub(super) show_values: bool,
    /// How documents are told apart, as for validate
    #[arg(long, value_name = "HOW", default_value = "auto", env = "PROFILE_LOADER_FRAMING", hide_env = true)]
    pub(super) framing: FramingArg,
    /// Check against this JSON Schema instead of the built-in one
    #[arg(long, value_name = "FILE", env = "PROFILE_LOADER_JSON_SCHEMA", hide_env = true)]
    pub(super) json_schema: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
}

impl MapArgs {
    pub(super) fn request(self) -> MapRequest {
        let documents = DocumentSettings {
            network: self.network.into(),
            framing: self.framing.into(),
            json_schema: self.json_schema,
            map: Some(self.map),
            ..DocumentSettings::of(self.inputs)
        };
        MapRequest { documents, first: self.first, show_values: self.show_values }
    }
}
