//! Exports: rows of a view as CSV, JSON Lines or Parquet. Pure: `store/` gives the rows, `cli/` the
//! file. [`view`] says which views there are, and all three formats follow it.

mod csv;
mod jsonl;
mod parquet;
pub mod view;

use std::io::{self, Write};

use view::View;

/// What a column holds; NULL can stand in any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A number of 64 bits.
    Real,
    /// Yes or no.
    Boolean,
    /// A UTC day.
    Day,
    /// A second, UTC.
    Instant,
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'r> {
    /// Not known.
    Null,
    /// Of [`Kind::Text`].
    Text(&'r str),
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Real`].
    Real(f64),
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Days since 1970-01-01.
    Day(i64),
    /// Unix seconds.
    Instant(i64),
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, RFC 4180, with a header
    Csv,
    /// A JSON object a line
    Jsonl,
    /// Apache Parquet, compressed with zstd
    Parquet,
}

impl Format {
    /// The format's name, which is also the ending of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// The format of a file of this name.
    pub fn of_file(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Takes the rows of a view one by one.
pub trait Writer {
    /// Takes a row: a cell for each column of the view.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what is still held back. Without it the export is torn.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A writer of this format. Its memory does not depend on the number of rows.
pub fn writer<'w, W: Write + Send + 'w>(
    format: Format,
    view: &'static View,
    to: W,
) -> io::Result<Box<dyn Writer + Send + 'w>> {
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::begin(view, to)?),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(view, to)),
        Format::Parquet => Box::new(parquet::Parquet::begin(view, to)?),
    })
}
