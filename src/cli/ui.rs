//! The only printer.
//!
//! - Results go to stdout, everything else to stderr.
//! - Words are in lower case, without a final period; an ID or a path never has one behind it.
//! - Colour and progress only on a terminal; questions only where both ends are one.
//! - What may be a secret in the wrong place, typed or in a file, is not repeated.
//! - A closed pipe ends the output quietly, as for any Unix tool.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anstyle::{AnsiColor, Style};

use crate::problem::Problem;

mod guard;

/// What matters most: errors and overdue keys.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// What is due.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What is well.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// What is beside the point.
pub const DIM: Style = Style::new().dimmed();
/// Headings and commands to type.
pub const BOLD: Style = Style::new().bold();

/// Writes `text` to stdout as it is, styles and all; a pipe gets it without the styles.
pub fn out(text: &str) {
    let text = guard::cut(text);
    let mut stdout = anstream::stdout();
    settle(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Writes the document of a command as JSON to stdout.
#[cfg(feature = "aws")]
pub fn document(document: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(document).expect("a report has string keys only");
    out(&format!("{text}\n"));
}

/// stdout, for results that are written piece by piece; what may hold styles loses them on a pipe.
///
/// Where the reader goes away the rest is written nowhere: the exit code is still to tell what there was.
#[cfg(feature = "aws")]
pub fn results(may_hold_styles: bool) -> Box<dyn Write> {
    let stdout: Box<dyn Write> = if may_hold_styles {
        Box::new(anstream::stdout())
    } else {
        Box::new(io::stdout().lock())
    };
    let until_closed = UntilClosed {
        out: stdout,
        is_closed: false,
    };
    Box::new(io::BufWriter::with_capacity(1 << 17, until_closed))
}

/// How wide results may be: the terminal's columns, and 80 where there is none.
#[cfg(feature = "aws")]
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| usize::from(width.0).max(40))
}

#[cfg(feature = "aws")]
struct UntilClosed {
    out: Box<dyn Write>,
    is_closed: bool,
}

#[cfg(feature = "aws")]
impl UntilClosed {
    fn unless_closed<T>(&mut self, result: io::Result<T>, done: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(done)
            }
            result => result,
        }
    }
}

#[cfg(feature = "aws")]
impl Write for UntilClosed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let result = self.out.write(bytes);
        self.unless_closed(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.unless_closed(result, ())
    }
}

/// Writes a line to stderr.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", guard::cut(text));
}

/// How far a long piece of work is, in one line of a terminal that is gone when the work is done; nowhere else.
#[derive(Debug)]
pub struct Bar {
    doing: &'static str,
    what: &'static str,
    is_shown: bool,
    /// In percent; a line is written only for a new one.
    last: AtomicU64,
}

impl Bar {
    /// `doing` and `what` frame the figures: `scanning 120 of 4000 objects`.
    pub fn new(doing: &'static str, what: &'static str) -> Self {
        Self {
            doing,
            what,
            is_shown: io::stderr().is_terminal(),
            last: AtomicU64::new(u64::MAX),
        }
    }

    /// Shows a new state. Cheap, and may be called from any thread.
    pub fn show(&self, done: u64, all: u64) {
        if !self.is_shown {
            return;
        }
        let percent = done * 100 / all.max(1);
        if self.last.swap(percent, Ordering::Relaxed) != percent {
            let full = usize::try_from(percent / 5).unwrap_or(0);
            let bar = format!("{:20}", "━".repeat(full));
            let _ = write!(
                anstream::stderr(),
                "\r\x1b[K{} {bar} {done} of {all} {}",
                self.doing,
                self.what
            );
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.last.load(Ordering::Relaxed) != u64::MAX {
            let _ = write!(anstream::stderr(), "\r\x1b[K");
        }
    }
}

/// Prints a problem in its three lines on stderr. On a terminal the words of error and cause break at its width;
/// a hint does not, for it is to be pasted.
pub fn problem(problem: &Problem) {
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(usize::MAX, |(width, _)| width.0.into());
    let error = wrapped(&problem.error, width);
    let cause = wrapped(&problem.cause, width);
    let mut text = format!("{RED}error:{RED:#} {error}\n{BOLD}cause:{BOLD:#} {cause}\n");
    text.push_str(&format!(
        "{BOLD}hint:{BOLD:#}  {}",
        problem.hint.replace('\n', &format!("\n{INDENT}"))
    ));
    note(&text);
}

/// As wide as `error: `.
const INDENT: &str = "       ";

/// Says on stderr that something is amiss: the words at the width of a terminal, below them the command, whole.
pub fn warning(words: &str, command: &str) {
    let words = wrapped_at(words, 80, "warning: ".len());
    note(&format!(
        "{YELLOW}warning:{YELLOW:#} {words}\n         {BOLD}{command}{BOLD:#}"
    ));
}

/// A remark on stderr that begins with `note: `, within 80 columns.
#[cfg(feature = "aws")]
pub fn remark(text: &str) {
    note(&format!("note: {}", wrapped_at(text, 80, "note: ".len())));
}

/// Breaks text between words where a line would be wider; every further line is indented.
fn wrapped(text: &str, width: usize) -> String {
    wrapped_at(text, width, INDENT.len())
}

/// The same behind an indent of so many columns, which the first line has already.
pub fn wrapped_at(text: &str, width: usize, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let is_full = indent + line.chars().count() + 1 + word.chars().count() > width;
            if !line.is_empty() && is_full {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

/// Whether a person can be asked: both stdin and stderr are terminals.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a yes-or-no question on stderr; anything but `y` or `yes` is a no.
pub fn confirm(question: &str) -> bool {
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Asks for what must not be seen, on the terminal itself; `None` when nothing was typed.
#[cfg(feature = "aws")]
pub fn ask_hidden(question: &str) -> Option<String> {
    let typed = rpassword::prompt_password(format!("{question}: ")).ok()?;
    let typed = typed.trim();
    (!typed.is_empty()).then(|| typed.to_owned())
}

/// A reader that went away (`keyagent status | head`) is no failure of ours; there is nobody left to tell.
fn settle(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        HAS_LOST_RESULTS.store(true, Ordering::Relaxed);
        let lost = Problem::new(
            "cannot write the result to stdout",
            error.to_string(),
            "see that there is room where it goes: df -h",
        );
        self::problem(&lost);
    }
}

/// Set when a result could not be written: then no exit code may say that all is well.
static HAS_LOST_RESULTS: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written.
pub fn has_lost_results() -> bool {
    HAS_LOST_RESULTS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_break_at_the_width_and_nothing_is_lost() {
        let text = "one two three\nfour averyveryverylongword five";
        assert_eq!(wrapped(text, usize::MAX), text.replace('\n', "\n       "));
        assert_eq!(
            wrapped(text, 15),
            "one two\n       three\n       four\n       averyveryverylongword\n       five"
        );
    }
}
