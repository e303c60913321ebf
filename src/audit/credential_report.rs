//! Reads a credential report row by row. Knows columns by their names, holds one row at a time, and passes nothing
//! over: what it cannot read is named by row and column.
//!
//! Source: IAM user guide, "Get credential reports", and a capture of 2026-09-11. Times end in `Z` or `+00:00`,
//! booleans come in any case, the last line may lack its end, and columns may be added.

use std::io::{self, BufRead, BufReader, Read};

use jiff::Timestamp;

use super::user::{Key, Moment, Password, User};
use super::{KeySlot, ROOT};

/// The columns that are read, in the order in which AWS has them.
const COLUMNS: [&str; 12] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
];

/// How a report begins in base64: `user,arn,`.
const ENCODED: &[u8] = b"dXNlcixhcm4s";

/// A report that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The system does not give it.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// A workbook of a spreadsheet program.
    #[error("it is a spreadsheet program's workbook, not the CSV that AWS gives")]
    Workbook,
    /// Text in 16-bit units, or no text.
    #[error("it is no CSV in UTF-8")]
    NotText,
    /// What AWS gives has not been decoded.
    #[error("it is still in base64, as AWS's API gives it")]
    Base64,
    /// Another separator, as spreadsheet programs of some countries write it.
    #[error("its columns are separated by `{0}`, not by a comma")]
    Separator(char),
    /// Columns of AWS's report that it lacks: it is another tool's, or another report.
    #[error("it is no credential report: its first row lacks {}", .0.join(", "))]
    Columns(Vec<&'static str>),
    /// A column that is there twice.
    #[error("its first row has the column {0} twice")]
    Twice(&'static str),
}

/// What cannot be read in a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is cut, or is none.
    #[error("it has {found} columns, the first row has {expected}")]
    Columns {
        /// So many.
        found: usize,
        /// As the header has.
        expected: usize,
    },
    /// Empty.
    #[error("column {0} names nobody")]
    Name(&'static str),
    /// Latin-1, as a spreadsheet program may save it.
    #[error("column {0} is not in UTF-8")]
    Encoding(&'static str),
    /// A value that is none of the column's.
    #[error("column {column} has `{value}`, which is no {kind}")]
    Value {
        /// Its name.
        column: &'static str,
        /// As far as it can be shown.
        value: String,
        /// What was to be there.
        kind: &'static str,
    },
    /// Everything from here on.
    #[error("it cannot be read: {0}")]
    Read(String),
}

/// A report that is being read.
pub struct CredentialReport<R> {
    csv: csv::Reader<BufReader<R>>,
    columns: [usize; COLUMNS.len()],
    width: usize,
    record: csv::ByteRecord,
    newest: Option<Timestamp>,
    /// Counted here: the parser counts lines, and those of Windows differently.
    number: u64,
}

/// One row.
#[derive(Debug)]
pub struct Row<'a> {
    /// As a spreadsheet program counts: the first row has the names.
    pub number: u64,
    /// What it says, as far as it can be read: a value that cannot is unknown.
    pub user: User<'a>,
    /// The values that cannot.
    pub unreadable: Vec<RowError>,
}

impl<R: Read> CredentialReport<R> {
    /// Reads the first row.
    ///
    /// # Errors
    ///
    /// When this is no credential report.
    pub fn open(source: R) -> Result<Self, ReportError> {
        let mut source = BufReader::new(source);
        let start = source.fill_buf()?;
        match start {
            [] => return Err(ReportError::Empty),
            // A zip archive (.xlsx, .ods), and OLE (.xls).
            [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => return Err(ReportError::Workbook),
            _ => {}
        }
        let start = &start[..start.len().min(1000)];
        if start.contains(&0) {
            return Err(ReportError::NotText);
        }
        if start.windows(ENCODED.len()).any(|bytes| bytes == ENCODED) {
            return Err(ReportError::Base64);
        }
        let mut csv = csv::ReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            // Larger than what it reads from, which then hands the file through without a copy.
            .buffer_capacity(1 << 18)
            .from_reader(source);
        let mut header = csv::ByteRecord::new();
        let is_there = csv
            .read_byte_record(&mut header)
            .map_err(|error| ReportError::Read(io::Error::other(error)))?;
        if !is_there {
            return Err(ReportError::Empty);
        }
        let name = |index: usize| {
            let name = header.get(index).unwrap_or_default();
            name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name).trim_ascii()
        };
        if header.len() == 1
            && let Some(separator) = [';', '\t'].into_iter().find(|c| name(0).contains(&(*c as u8)))
        {
            return Err(ReportError::Separator(separator));
        }
        let mut columns = [0; COLUMNS.len()];
        let mut missing = Vec::new();
        for (column, place) in COLUMNS.into_iter().zip(&mut columns) {
            let mut places = (0..header.len()).filter(|index| name(*index) == column.as_bytes());
            match places.next() {
                Some(index) => *place = index,
                None => missing.push(column),
            }
            if places.next().is_some() {
                return Err(ReportError::Twice(column));
            }
        }
        if !missing.is_empty() {
            return Err(ReportError::Columns(missing));
        }
        Ok(Self {
            csv,
            columns,
            width: header.len(),
            record: csv::ByteRecord::new(),
            newest: None,
            number: 1,
        })
    }

    /// The newest time that was read: the report cannot have been made before it.
    pub fn newest_time(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Reads the next row; `None` after the last one.
    ///
    /// # Errors
    ///
    /// When the row as a whole says nothing; with its number. The rows behind it can still be read, unless it is
    /// [`RowError::Read`].
    pub fn next_row(&mut self) -> Option<Result<Row<'_>, (u64, RowError)>> {
        self.number += 1;
        let number = self.number;
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(Err((number, RowError::Read(error.to_string())))),
        }
        let found = self.record.len();
        if found != self.width {
            return Some(Err((
                number,
                RowError::Columns {
                    found,
                    expected: self.width,
                },
            )));
        }
        let fields = Fields {
            record: &self.record,
            columns: &self.columns,
            newest: self.newest,
            unreadable: Vec::new(),
        };
        Some(match fields.row(number) {
            Ok((row, newest)) => {
                self.newest = newest;
                Ok(row)
            }
            Err(error) => Err((number, error)),
        })
    }
}

struct Fields<'a> {
    record: &'a csv::ByteRecord,
    columns: &'a [usize; COLUMNS.len()],
    newest: Option<Timestamp>,
    unreadable: Vec<RowError>,
}

impl<'a> Fields<'a> {
    fn row(mut self, number: u64) -> Result<(Row<'a>, Option<Timestamp>), RowError> {
        let (name, arn) = (self.text(0)?, self.text(1)?);
        let is_root = is_root(name, arn);
        if !arn.starts_with("arn:") {
            self.cannot_read(1, "ARN such as arn:aws:iam::123456789012:user/ann");
        }
        let user = User {
            name: if is_root { ROOT } else { name },
            arn,
            is_root,
            created: self.moment(2),
            password: Password {
                // Root's is `not_supported` or whatever comes: no rule asks for it.
                enabled: if is_root { None } else { self.boolean(3) },
                last_used: self.moment(4),
                last_changed: self.moment(5),
            },
            keys: [self.key(KeySlot::One, 6), self.key(KeySlot::Two, 9)],
        };
        let row = Row {
            number,
            user,
            unreadable: self.unreadable,
        };
        Ok((row, self.newest))
    }

    fn key(&mut self, slot: KeySlot, first: usize) -> Key {
        Key {
            slot: Some(slot),
            id: None,
            active: self.boolean(first),
            created: self.moment(first + 1),
            last_used: self.moment(first + 2),
        }
    }

    fn bytes(&self, column: usize) -> &'a [u8] {
        self.record
            .get(self.columns[column])
            .unwrap_or_default()
            .trim_ascii()
    }

    fn text(&self, column: usize) -> Result<&'a str, RowError> {
        match std::str::from_utf8(self.bytes(column)) {
            Ok("") => Err(RowError::Name(COLUMNS[column])),
            Ok(text) => Ok(text),
            Err(_) => Err(RowError::Encoding(COLUMNS[column])),
        }
    }

    fn boolean(&mut self, column: usize) -> Option<bool> {
        let value = self.bytes(column);
        if value.eq_ignore_ascii_case(b"false") {
            Some(false)
        } else if value.eq_ignore_ascii_case(b"true") {
            Some(true)
        } else {
            self.cannot_read(column, "TRUE or FALSE");
            None
        }
    }

    fn moment(&mut self, column: usize) -> Moment {
        let value = self.bytes(column);
        let is_none = |none: &&str| value.eq_ignore_ascii_case(none.as_bytes());
        if ["N/A", "no_information", "not_supported"].iter().any(is_none) {
            return Moment::Never;
        }
        match timestamp(value) {
            Some(time) => {
                self.newest = self.newest.max(Some(time));
                Moment::At(time)
            }
            None => {
                self.cannot_read(column, "time such as 2026-12-31T23:59:59Z");
                Moment::Unknown
            }
        }
    }

    fn cannot_read(&mut self, column: usize, kind: &'static str) {
        let value = String::from_utf8_lossy(self.bytes(column));
        self.unreadable.push(RowError::Value {
            column: COLUMNS[column],
            value: value.chars().filter(|c| !c.is_control()).take(40).collect(),
            kind,
        });
    }
}

/// The ARN decides where it is one: nothing keeps a user from being named `root`.
fn is_root(name: &str, arn: &str) -> bool {
    match arn.splitn(6, ':').nth(5) {
        Some(resource) => resource == "root",
        None => name == ROOT,
    }
}

/// Nearly all of a report is times of one shape; jiff reads whatever else ISO 8601 allows.
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    plain_timestamp(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// `2026-12-31T23:59:59Z`, or `+00:00` at its end.
fn plain_timestamp(text: &[u8]) -> Option<Timestamp> {
    let (time, zone) = text.split_at_checked(19)?;
    let is_shaped = zone == b"Z" || zone == b"+00:00";
    if !is_shaped || [time[4], time[7], time[10], time[13], time[16]] != *b"--T::" {
        return None;
    }
    let number = |from: usize, to: usize| {
        time[from..to].iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-01-01; years are taken to begin in March (Hinnant, "chrono-compatible low-level date algorithms").
    let years = if month <= 2 { year - 1 } else { year };
    let era = years.div_euclid(400);
    let of_era = years.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Timestamp::from_second(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const ANN: &str = "ann,arn:aws:iam::123456789012:user/eng/ann,2026-01-01T00:00:00Z,TRUE,no_information,\
        2026-01-31T00:00:00+00:00,N/A,false,true,2026-02-01T10:20:30+00:00,N/A,N/A,N/A,False,N/A,N/A,N/A,N/A,\
        false,N/A,false,N/A";

    fn at(text: &str) -> Moment {
        Moment::At(text.parse().unwrap())
    }

    fn open(text: &str) -> CredentialReport<&[u8]> {
        CredentialReport::open(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_form_is_read() {
        let text = format!("\u{feff}{HEADER},new_column\r\n{ANN},x");
        let mut report = open(&text);
        let row = report.next_row().unwrap().unwrap();
        assert_eq!(row.number, 2);
        assert_eq!(row.unreadable, []);
        assert_eq!(row.user.name, "ann");
        assert_eq!(row.user.password.enabled, Some(true));
        assert_eq!(row.user.password.last_used, Moment::Never);
        assert_eq!(row.user.password.last_changed, at("2026-01-31T00:00:00Z"));
        assert_eq!(row.user.keys[0].created, at("2026-02-01T10:20:30Z"));
        assert_eq!(row.user.keys[1].active, Some(false));
        assert!(report.next_row().is_none());
        assert_eq!(
            report.newest_time(),
            Some("2026-02-01T10:20:30Z".parse().unwrap())
        );
    }

    #[test]
    fn root_is_known_by_its_arn() {
        for (name, arn, expected) in [
            ("<root_account>", "arn:aws:iam::123456789012:root", true),
            ("<ROOT>", "arn:aws-cn:iam::123456789012:root", true),
            ("root", "arn:aws:iam::123456789012:user/root", false),
            ("<root_account>", "N/A", true),
        ] {
            assert_eq!(is_root(name, arn), expected, "{name} {arn}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_unknown() {
        let row = ANN
            .replace("2026-02-01T10", "yesterday")
            .replace("False", "perhaps");
        let text = format!("{HEADER}\n{row}\n");
        let mut report = open(&text);
        let row = report.next_row().unwrap().unwrap();
        assert_eq!(row.user.keys[0].created, Moment::Unknown);
        assert_eq!(row.user.keys[1].active, None);
        let told: Vec<String> = row.unreadable.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "column access_key_1_last_rotated has `yesterday:20:30+00:00`, which is no time such as \
                 2026-12-31T23:59:59Z",
                "column access_key_2_active has `perhaps`, which is no TRUE or FALSE"
            ]
        );
    }

    #[test]
    fn a_cut_row_is_named_and_the_next_is_read() {
        let text = format!("{HEADER}\nbob,arn:x\n{ANN}\n");
        let mut report = open(&text);
        let error = report.next_row().unwrap().unwrap_err();
        assert_eq!(
            error,
            (
                2,
                RowError::Columns {
                    found: 2,
                    expected: 22
                }
            )
        );
        assert_eq!(report.next_row().unwrap().unwrap().number, 3);
    }

    #[test]
    fn a_name_that_is_no_text_is_not_guessed() {
        let mut text = format!("{HEADER}\n{ANN}\n").into_bytes();
        let place = text.windows(4).position(|bytes| bytes == b"ann,").unwrap();
        text[place] = 0xff;
        let mut report = CredentialReport::open(&text[..]).unwrap();
        let (number, error) = report.next_row().unwrap().unwrap_err();
        assert_eq!((number, error), (2, RowError::Encoding("user")));
    }

    #[test]
    fn what_is_no_report_is_told_apart() {
        for (text, expected) in [
            (&b""[..], "it is empty"),
            (b"PK\x03\x04rest", "it is a spreadsheet program's workbook"),
            (b"\xff\xfeu\0s\0e\0r\0", "it is no CSV in UTF-8"),
            (b"user;arn;x\n", "its columns are separated by `;`"),
            (
                b"CHECK_ID,STATUS\n",
                "it is no credential report: its first row lacks user, arn",
            ),
            (b"<html>\n", "it is no credential report"),
        ] {
            let error = CredentialReport::open(text).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let twice = format!("{HEADER},arn\n");
        let error = CredentialReport::open(twice.as_bytes()).err().unwrap();
        assert_eq!(error.to_string(), "its first row has the column arn twice");
    }

    #[test]
    fn the_short_way_reads_times_as_jiff_does() {
        for seconds in (-62_000_000_000_i64..250_000_000_000).step_by(86_399 * 997) {
            let time = Timestamp::from_second(seconds).unwrap();
            let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            if let Some(read) = plain_timestamp(text.as_bytes()) {
                assert_eq!(read, time, "{text}");
            }
            assert_eq!(timestamp(text.as_bytes()), Some(time), "{text}");
        }
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01",
            "26-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            timestamp(b"2026-01-01T02:00:00+02:00"),
            timestamp(b"2026-01-01T00:00:00Z")
        );
    }
}
