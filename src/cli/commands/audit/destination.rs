//! Where findings go: to stdout, or into files below `--out`.

use std::io::{self, Write};
use std::path::Path;

use super::super::super::ui;
use super::table::Table;
use super::{Args, Format};
use crate::audit::assessment::Tally;
use crate::audit::output::{Asff, Html, Json, Junit, Ndjson, Ocsf, Output, Previous, Separated};
use crate::audit::results::{Earlier, Results, Terms};
use crate::audit::rules::Judge;
use crate::problem::{Problem, quoted};

/// What writes findings, and where to.
pub(super) struct Destination<'a> {
    format: Format,
    region: &'a str,
    /// Of an earlier audit, in the same format.
    previous: Option<Previous>,
    results: Option<Results>,
}

impl<'a> Destination<'a> {
    /// Takes the folder and the file of the arguments.
    pub(super) fn of(
        args: &Args,
        judge: &Judge,
        exemptions: Option<String>,
        region: &'a str,
    ) -> Result<Self, Problem> {
        let format = args.format.unwrap_or(match args.out {
            Some(_) => Format::Ndjson,
            None => Format::Table,
        });
        if args.previous.is_some() && format != Format::Asff {
            return Err(Problem::new(
                "cannot archive what is gone",
                "only findings for Security Hub are archived",
                "--format asff --previous FILE",
            ));
        }
        let previous = args.previous.as_ref().map(|path| {
            Previous::open(path.clone(), false).map_err(|error| {
                Problem::new(
                    format!("cannot take the findings of {}", path.display()),
                    error.to_string(),
                    "name a file that keyagent audit --format asff has written",
                )
            })
        });
        let results = args.out.as_deref().map(|root| {
            let Some(file_name) = format.file_name() else {
                return Err(Problem::new(
                    "cannot file a table",
                    "a table is for the terminal",
                    "--out DIR --format ndjson",
                ));
            };
            let terms = Terms {
                benchmark: judge.benchmark,
                limits: judge.limits,
                asked: args.asked(),
                region: (format == Format::Asff).then(|| region.to_owned()),
                exemptions,
            };
            Results::open(root, file_name, judge.as_of, terms).map_err(|error| unwritable(root, &error))
        });
        Ok(Self {
            format,
            region,
            previous: previous.transpose()?,
            results: results.transpose()?,
        })
    }

    /// The folder, where there is one.
    pub(super) fn results(&self) -> Option<&Results> {
        self.results.as_ref()
    }

    /// Has one account audited into it.
    pub(super) fn take(
        &self,
        audit: impl FnOnce(&mut dyn Output) -> Result<Tally, Problem>,
    ) -> Result<Tally, Problem> {
        let Some(results) = &self.results else {
            let out = ui::results(self.format == Format::Table);
            return audit(self.output(out, self.previous.clone()).as_mut());
        };
        let make = |out, earlier| self.in_file(out, earlier);
        let mut filing = results.filing(&make);
        let tally = audit(&mut filing)?;
        if let Some(path) = filing.finish(&tally).map_err(|error| super::unwritable(&error))? {
            ui::out(&format!("{}\n", path.display()));
        }
        Ok(tally)
    }

    /// The output that writes into a file below the folder.
    pub(super) fn in_file(
        &self,
        out: Box<dyn Write>,
        earlier: Option<Earlier>,
    ) -> io::Result<Box<dyn Output>> {
        let previous = match (self.format, earlier) {
            (Format::Asff, Some(earlier)) => Some(Previous::open(earlier.path, earlier.is_of_today)?),
            (_, _) => None,
        };
        Ok(self.output(out, previous))
    }

    fn output(&self, out: Box<dyn Write>, previous: Option<Previous>) -> Box<dyn Output> {
        match self.format {
            Format::Table => Box::new(Table::new(out, ui::width())),
            Format::Json => Box::new(Json::new(out)),
            Format::Ndjson => Box::new(Ndjson::new(out)),
            Format::Csv => Box::new(Separated::new(out)),
            Format::Junit => Box::new(Junit::new(out)),
            Format::Asff => Box::new(Asff::new(out, self.region, previous)),
            Format::Ocsf => Box::new(Ocsf::new(out)),
            Format::Html => Box::new(Html::new(out)),
        }
    }
}

impl Format {
    /// What a file in the format is called.
    fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Table => None,
            Self::Json => Some("audit.json"),
            Self::Ndjson => Some("audit.ndjson"),
            Self::Csv => Some("audit.csv"),
            Self::Junit => Some("audit.junit.xml"),
            Self::Asff => Some("audit.asff.ndjson"),
            Self::Ocsf => Some("audit.ocsf.ndjson"),
            Self::Html => Some("audit.html"),
        }
    }
}

fn unwritable(root: &Path, error: &crate::fs_atomic::Error) -> Problem {
    Problem::new(
        format!("cannot file results in {}", root.display()),
        error.to_string(),
        format!("ls -ld {}", quoted(root)),
    )
}
