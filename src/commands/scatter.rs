//! `scatter`: checks a split and writes what is accepted of it to standard output, in blocks of the plan's parts.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
};

use super::{
    failure::{Failure, exit},
    output::unwritten,
    planned::{OpenedSplit, SplitRequest},
    signals::Signals,
    tell::ReportOutput,
    validate::{CheckRequest, check_all},
};
use crate::settings::DocumentSettings;

/// Returns the exit code of a run that came to an end of some kind.
pub(crate) fn scatter(
    settings: &DocumentSettings,
    split: &SplitRequest,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    if io::stdout().is_terminal() {
        let message = "blocks of documents are nothing to read; send standard output to a program or a file";
        return Err(Failure::new(exit::USAGE, message));
    }
    let split = OpenedSplit::read(split)?;
    split.refuse_unwritable_reports(output.files())?;
    // Past the buffer of standard output, which looks for line ends.
    let out = io::stdout().as_fd().try_clone_to_owned();
    let out = File::from(out.map_err(|error| Failure::new(exit::TEMPORARY, unwritten(&error)))?);
    let request = CheckRequest {
        command: "scatter",
        split: Some(&split),
        blocks: Some(split.plan.block_writer(split.split, Box::new(out))),
        ..CheckRequest::of(settings, output.console)
    };
    let report = check_all(request, Signals::catch, |report| output.tell(report))?;
    Ok(report.exit_code)
}
