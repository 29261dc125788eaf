//! Tests that need no database: the program is run as an operator would run it.

#[path = "../support/process.rs"]
mod process;

#[path = "../support/http_server.rs"]
mod http_server;

#[path = "../support/full.rs"]
mod full;

#[path = "../support/report_schema.rs"]
mod report_schema;

mod compressed;
mod config;
mod documents;
mod exit_codes;
mod folder;
mod framings;
mod inputs;
mod jq_lines;
mod legacy;
mod limits;
mod log_lines;
mod manual;
mod map;
mod messages;
mod network;
mod paths;
mod personal_data;
mod plan;
mod rejects;
mod report;
mod scatter;
mod signals;
mod snapshots;
mod validate;
