//! CSV as RFC 4180 has it. NULL is an empty cell; instants are written as SQLite's views write them,
//! which spreadsheets and databases take for instants.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::view::View;
use super::{Cell, Writer};
use crate::clock::{DayText, InstantText};

/// What a spreadsheet takes for the beginning of a formula, or skips before one.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

pub(super) struct Csv<W: Write> {
    rows: csv::Writer<W>,
    /// The cell that is being written.
    text: String,
}

impl<W: Write> Csv<W> {
    /// Begins with the header.
    pub(super) fn begin(view: &View, to: W) -> io::Result<Self> {
        let mut rows = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(to);
        rows.write_record(view.columns.iter().map(|(name, _)| name))
            .map_err(broken)?;
        Ok(Self {
            rows,
            text: String::new(),
        })
    }
}

impl<W: Write> Writer for Csv<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            self.text.clear();
            // A text takes whatever is written to it.
            let _ = match cell {
                Cell::Null => Ok(()),
                Cell::Text(text) => harmless(&mut self.text, text),
                Cell::Integer(n) => write!(self.text, "{n}"),
                // With its point, also where it is whole: readers guess a column's type from its first rows.
                Cell::Real(n) => write!(self.text, "{n:?}"),
                Cell::Boolean(yes) => write!(self.text, "{yes}"),
                Cell::Day(day) => write!(self.text, "{}", DayText(*day)),
                Cell::Instant(at) => write!(self.text, "{}", InstantText(*at, " ", "")),
            };
            self.rows.write_field(&self.text).map_err(broken)?;
        }
        self.rows.write_record(None::<&[u8]>).map_err(broken)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.rows.flush()
    }
}

/// Titles are the API's: one that begins like a formula gets an apostrophe, and is a text again.
fn harmless(cell: &mut String, text: &str) -> std::fmt::Result {
    if text.starts_with(FORMULA) {
        cell.push('\'');
    }
    cell.write_str(text)
}

/// The error of the file beneath, where it was one.
fn broken(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{ALL_KINDS, sample};
    use super::*;

    #[test]
    fn every_kind_of_cell_is_written_as_spreadsheets_and_databases_read_it() {
        let mut file = Vec::new();
        let mut csv = Box::new(Csv::begin(&ALL_KINDS, &mut file).unwrap());
        csv.row(&sample("a \"b\", c")).unwrap();
        csv.row(&[Cell::Null; 6]).unwrap();
        csv.finish().unwrap();
        let expected = "text,integer,real,boolean,day,instant\r\n\
            \"a \"\"b\"\", c\",-7,1.0,true,2026-02-03,2026-02-03 06:15:01\r\n,,,,,\r\n";
        assert_eq!(String::from_utf8(file).unwrap(), expected);
    }

    #[rstest::rstest]
    #[case("=1+1", "'=1+1")]
    #[case("+1", "'+1")]
    #[case("-1", "'-1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("\t=1", "'\t=1")]
    #[case("\r=1", "\"'\r=1\"")]
    #[case("1=1", "1=1")]
    #[case("'quoted'", "'quoted'")]
    #[case("=\"a\",b", "\"'=\"\"a\"\",b\"")]
    fn a_text_that_would_be_a_formula_is_a_text(#[case] text: &str, #[case] written: &str) {
        let mut file = Vec::new();
        let mut csv = Box::new(Csv::begin(&ALL_KINDS, &mut file).unwrap());
        csv.row(&sample(text)).unwrap();
        csv.finish().unwrap();
        let file = String::from_utf8(file).unwrap();
        let (_, row) = file.split_once("\r\n").unwrap();
        assert_eq!(row.split_once(",-7,").unwrap().0, written);
    }
}
