//! JSON Lines: an object a line, instants in RFC 3339.

use std::io::{self, Write};

use super::view::View;
use super::{Cell, Writer};
use crate::clock::{DayText, InstantText};

pub(super) struct Jsonl<W: Write> {
    view: &'static View,
    to: W,
    /// The line that is being written.
    line: Vec<u8>,
}

impl<W: Write> Jsonl<W> {
    pub(super) fn new(view: &'static View, to: W) -> Self {
        let line = Vec::new();
        Self { view, to, line }
    }
}

impl<W: Write> Writer for Jsonl<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        for ((name, _), cell) in self.view.columns.iter().zip(cells) {
            let before = if line.is_empty() { '{' } else { ',' };
            write!(line, "{before}\"{name}\":")?;
            match cell {
                Cell::Text(text) => serde_json::to_writer(&mut *line, text)?,
                Cell::Integer(n) => write!(line, "{n}")?,
                Cell::Real(n) if n.is_finite() => write!(line, "{n:?}")?,
                // JSON has no word for a number that is none.
                Cell::Null | Cell::Real(_) => line.extend_from_slice(b"null"),
                Cell::Boolean(yes) => write!(line, "{yes}")?,
                Cell::Day(day) => write!(line, "\"{}\"", DayText(*day))?,
                Cell::Instant(at) => write!(line, "\"{}\"", InstantText(*at, "T", "Z"))?,
            }
        }
        line.extend_from_slice(b"}\n");
        self.to.write_all(line)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{ALL_KINDS, sample};
    use super::*;

    #[test]
    fn every_kind_of_cell_has_its_json() {
        let mut file = Vec::new();
        let mut jsonl = Box::new(Jsonl::new(&ALL_KINDS, &mut file));
        jsonl.row(&sample("=a \"b\"\n")).unwrap();
        let mut nulls = [Cell::Null; 6];
        nulls[2] = Cell::Real(f64::NAN);
        jsonl.row(&nulls).unwrap();
        jsonl.finish().unwrap();
        let expected = concat!(
            r#"{"text":"=a \"b\"\n","integer":-7,"real":1.0,"boolean":true,"#,
            r#""day":"2026-02-03","instant":"2026-02-03T06:15:01Z"}"#,
            "\n",
            r#"{"text":null,"integer":null,"real":null,"boolean":null,"day":null,"instant":null}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(file).unwrap(), expected);
    }
}
