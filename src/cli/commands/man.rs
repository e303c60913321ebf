//! `keyagent man`: the man pages, one a command, as git has them. What the options mean is said where they are declared;
//! here is only what no option says.

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::super::{exit_code, ui};
use crate::problem::{Problem, quoted};

/// Write the man pages, one a command
///
/// They are named keyagent.1, keyagent-rotate.1 and so on. To read one: man -l FILE.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to write them to; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command. `command` is the whole of keyagent's.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn run(args: &Args, command: clap::Command) -> Result<u8, Problem> {
    let folder = &args.folder;
    let failed = |path: &Path, error: &io::Error| {
        Problem::new(
            "cannot write the man pages",
            format!("{}: {error}", path.display()),
            format!("ls -ld {}", quoted(folder)),
        )
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let pages = pages(command);
    for page in &pages {
        let path = folder.join(&page.file_name);
        std::fs::write(&path, &page.text).map_err(|error| failed(&path, &error))?;
    }
    ui::out(&format!("{} man pages in {}\n", pages.len(), folder.display()));
    Ok(exit_code::OK)
}

struct Page {
    file_name: String,
    text: Vec<u8>,
}

fn pages(command: clap::Command) -> Vec<Page> {
    let mut command = command.disable_help_subcommand(true);
    let version = command.get_version().unwrap_or_default().to_owned();
    // Each command learns its full name.
    command.build();
    let mut pages = Vec::new();
    add(&command, None, &version, &mut pages);
    pages
}

fn add(command: &clap::Command, above: Option<&str>, version: &str, pages: &mut Vec<Page>) {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let man = Man::new(command.clone())
        .title(name.to_ascii_uppercase())
        .source(format!("keyagent {version}"))
        .manual("keyagent manual");
    let mut text = Vec::new();
    let file_name = man.get_filename();
    page(&man, command, above, &mut text).expect("memory takes every write");
    pages.push(Page { file_name, text });
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add(below, Some(&name), version, pages);
    }
}

fn page(man: &Man, command: &clap::Command, above: Option<&str>, to: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(to)?;
    }
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(to)?;
    }
    let mut more = Roff::default();
    table(&mut more, "EXIT STATUS", &EXIT_STATUS);
    match above {
        None => {
            table(&mut more, "FILES", &FILES);
            table(&mut more, "ENVIRONMENT", &ENVIRONMENT);
        }
        Some(above) => {
            more.control("SH", ["SEE ALSO"]);
            let mut line = vec![bold(above), roman("(1)")];
            if above != "keyagent" {
                line.extend([roman(", "), bold("keyagent"), roman("(1)")]);
            }
            more.text(line);
        }
    }
    more.to_writer(to)
}

fn table(page: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    page.control("SH", [heading]);
    for (name, meaning) in rows {
        page.control("TP", []);
        page.text([bold(*name)]);
        page.text([roman(*meaning)]);
    }
}

const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "All is well, or done."),
    ("1", "Something was found that you must act on."),
    ("2", "keyagent could not do its job, or was called wrongly."),
];

const FILES: [(&str, &str); 5] = [
    (
        "~/.aws/credentials, ~/.aws/config",
        "AWS's own files. No byte of them changes but the values that are replaced.",
    ),
    ("~/.config/keyagent/config", "Your settings."),
    (
        "/etc/keyagent/config",
        "The computer's settings, which are read first; with enforce = true you can only be stricter.",
    ),
    (
        "~/.local/state/keyagent",
        "The journal of rotations, and what the agent knows.",
    ),
    (
        ".keyagentallow",
        "In a repository: what may stay there, each with a reason.",
    ),
];

const ENVIRONMENT: [(&str, &str); 8] = [
    (
        "AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE",
        "AWS's files, if they are elsewhere.",
    ),
    ("AWS_PROFILE", "The profile, where no -p names one."),
    ("AWS_REGION", "The region, where the profile names none."),
    (
        "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL_STS",
        "Other endpoints.",
    ),
    ("AWS_CA_BUNDLE", "Certificates to trust."),
    ("HTTPS_PROXY, NO_PROXY", "The proxy."),
    ("NO_COLOR", "No colour."),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME",
        "Where the settings and the state lie.",
    ),
];
