//! Completions for shells and manual pages; both are made from the command line as it is.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::EXIT_CODES;
use crate::{
    commands::{self, Failure, exit},
    path_text::path_text,
};

const NAME: &str = "profile-loader";

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The command whose page is printed, such as load, or runs list [default: that of the program]
    #[arg(value_name = "COMMAND")]
    pub(super) command: Vec<String>,
    /// Write the pages of all commands to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(super) dir: Option<PathBuf>,
}

/// The script that a shell reads to complete our words.
pub(super) fn completions(shell: Shell, mut program: Command) -> String {
    let mut script = Vec::new();
    generate(shell, &mut program, NAME, &mut script);
    let script = String::from_utf8(script).expect("a script of ours is UTF-8");
    // clap_complete 4.6 gives a name with a hyphen two spellings in the script for bash, which then completes nothing.
    script.replace("profile__subcmd__loader", "profile__loader")
}

/// Prints a page, or writes all of them.
pub(super) fn man(args: &ManArgs, mut program: Command) -> Result<u8, Failure> {
    program.build();
    match &args.dir {
        Some(dir) => write_pages(&program, dir).map_err(|(path, error)| {
            let what = format!("the manual page {} can't be written: {error}", path_text(&path));
            Failure::new(exit::USAGE, what)
        })?,
        None => {
            let mut command = &program;
            for word in &args.command {
                command = command.find_subcommand(word).ok_or_else(|| unknown(command))?;
            }
            let page = page(command).expect("a Vec takes everything");
            commands::print(&String::from_utf8(page).expect("a page of ours is UTF-8"))?;
        }
    }
    Ok(exit::COMPLETE)
}

fn unknown(command: &Command) -> Failure {
    let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    let message = if names.is_empty() {
        format!("{} has no further commands", command.get_name())
    } else {
        format!("there is no such command; there are {}", names.join(", "))
    };
    Failure::new(exit::USAGE, message)
}

fn write_pages(command: &Command, dir: &Path) -> Result<(), (PathBuf, io::Error)> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = dir.join(format!("{name}.1"));
    let written = page(command).and_then(|page| fs::write(&path, page));
    written.map_err(|error| (path, error))?;
    command.get_subcommands().try_for_each(|command| write_pages(command, dir))
}

/// The page of one command, with all of its options' variables.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let has_options = command.get_arguments().any(|argument| !argument.is_hide_set());
    let has_commands = command.has_subcommands();
    let shown = command.clone().mut_args(|argument| argument.hide_env(false));
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(shown).source(format!("{NAME} {version}")).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if has_options {
        man.render_options_section(&mut page)?;
    }
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    page.write_all(&exit_status())?;
    Ok(page)
}

/// From the words that end `--help`.
fn exit_status() -> Vec<u8> {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for line in EXIT_CODES.lines().skip(1) {
        let (code, meaning) = line.trim().split_once(' ').expect("a code and its meaning");
        roff.control("TP", []).text([bold(code)]).text([roman(meaning.trim())]);
    }
    roff.to_roff().into_bytes()
}
