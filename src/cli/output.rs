//! Output: results for people or, with `--json`, for machines.

use std::io::Write;
use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::exit::{Exit, Failure};
use crate::problem::Problem;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether machines read it.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: as one JSON document, or as `text` makes it for people.
    pub(super) fn result<T: Serialize>(
        self,
        result: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let mut document =
                serde_json::to_vec_pretty(result).map_err(|e| Failure::Other(e.to_string()))?;
            document.push(b'\n');
            bytes(&document).map(|_| ())
        } else {
            line(&text(result))
        }
    }

    /// Prints why the command failed, for machines on stdout too, and gives its exit status.
    pub(super) fn failure(self, failure: &Failure) -> ExitCode {
        let text = failure.to_string();
        if !text.is_empty() {
            note(&text);
            if self.json {
                let problems = failure.problems();
                // Nobody is left to be told when stdout is gone.
                let _ = self.result(
                    &Failed {
                        error: &text,
                        problems,
                    },
                    |_| String::new(),
                );
            }
        }
        failure.exit().code()
    }
}

/// Prints a line on stdout; without colour where that is no terminal.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{}", as_shown(text)).map_err(Failure::output)
}

/// The text without what would command a terminal or turn the direction of what follows: titles and
/// messages are the API's.
fn as_shown(text: &str) -> String {
    let commands = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(commands, "\u{fffd}")
}

/// Prints a line on stderr, beside the result.
pub(super) fn note(text: &str) {
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes bytes to stdout as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<Exit, Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// Columns of a long text, where a table is too wide.
const TEXT: usize = 16;

/// A line below the headings and nothing else, so that a table of many rows stays short.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with these headings; the columns whose number is in `right` hold numbers.
pub(super) fn table(headings: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings);
    for (number, column) in table.column_iter_mut().enumerate() {
        if right.contains(&number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table that fits the terminal, in which no word is broken: where it is too wide, long texts in the
/// columns `texts` are cut, and then the columns `spare` left out, one after the other. Where there is no
/// terminal, it has all of it.
pub(super) fn fitting(
    headings: &[&str],
    right: &[usize],
    rows: &[Vec<String>],
    texts: &[usize],
    spare: &[usize],
) -> String {
    fitted(headings, right, rows, texts, spare, Table::new().width())
}

fn fitted(
    headings: &[&str],
    right: &[usize],
    rows: &[Vec<String>],
    texts: &[usize],
    spare: &[usize],
    width: Option<u16>,
) -> String {
    let whole = without(headings, right, rows, &[]);
    let width = width.map(usize::from);
    let fits = |table: &str| width.is_none_or(|width| table.lines().all(|line| line.width() <= width));
    if fits(&whole) {
        return whole;
    }
    let mut rows = rows.to_vec();
    for row in &mut rows {
        for text in texts.iter() {
            if let Some(cell) = row.get_mut(*text) {
                *cell = short(cell, TEXT);
            }
        }
    }
    let tries = (0..=spare.len()).map(|left_out| spare.get(..left_out).unwrap_or(spare));
    let mut tables = tries.map(|left_out| without(headings, right, &rows, left_out));
    let mut last = whole;
    loop {
        match tables.next() {
            Some(table) if fits(&table) => return table,
            Some(table) => last = table,
            None => return last,
        }
    }
}

/// The table without the columns `left_out`.
fn without(headings: &[&str], right: &[usize], rows: &[Vec<String>], left_out: &[usize]) -> String {
    let kept: Vec<usize> = (0..headings.len()).filter(|n| !left_out.contains(n)).collect();
    let headings: Vec<&str> = kept.iter().filter_map(|n| headings.get(*n).copied()).collect();
    let numbers = kept.iter().enumerate().filter(|(_, n)| right.contains(n));
    let mut table = table(&headings, &numbers.map(|(at, _)| at).collect::<Vec<_>>());
    table.set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row(kept.iter().filter_map(|n| row.get(*n)));
    }
    table.to_string()
}

/// The beginning of a text that fits into so many columns, on one line.
pub(super) fn short(text: &str, columns: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.width() <= columns {
        return line;
    }
    let mut left = columns - 1;
    let mut cut = String::new();
    for c in line.chars() {
        let width = c.width().unwrap_or_default();
        if width > left {
            break;
        }
        left -= width;
        cut.push(c);
    }
    cut + "…"
}

/// Columns of the terminal; where there is none, as many as a page has.
pub(super) fn terminal_width() -> usize {
    Table::new().width().map_or(80, usize::from)
}

/// The document of `--json` when a command could not do what it was asked to.
#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
    problems: Vec<Told>,
}

/// A problem for machines.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
}

impl Told {
    pub(super) fn new(problem: &Problem) -> Self {
        let place = problem.place.as_ref();
        let position = place.and_then(|place| place.position);
        Self {
            file: place.map(|place| place.file.display().to_string()),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }

    /// An error as its text has it: a message, and what to do about it on a line of its own.
    pub(super) fn of(error: &str) -> Self {
        Self::new(&problem_of(error))
    }
}

/// An error as a problem: its text is a message, and what to do about it on a line of its own.
pub(super) fn problem_of(error: &str) -> Problem {
    match error.split_once("\n  help: ") {
        Some((message, help)) => Problem::new(message).help(help),
        None => Problem::new(error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("short", "short")]
    #[case("just ten c", "just ten c")]
    #[case("eleven char", "eleven ch…")]
    #[case("漢字漢字漢字", "漢字漢字…")]
    #[case("two\nlines", "two lines")]
    fn a_title_takes_no_more_columns_than_it_has(#[case] title: &str, #[case] shown: &str) {
        assert_eq!(short(title, 10), shown);
        assert!(short(title, 10).width() <= 10);
    }

    #[rstest]
    #[case::all_where_there_is_no_terminal(
        None,
        "clip note author",
        "6703723351497508865 a-note-of-many-columns somebody"
    )]
    #[case::texts_are_cut_first(
        Some(54),
        "clip note author",
        "6703723351497508865 a-note-of-many-… somebody"
    )]
    #[case::then_columns_are_left_out(Some(50), "clip author", "6703723351497508865 somebody")]
    #[case::what_is_needed_stays(Some(10), "clip", "6703723351497508865")]
    fn a_table_fits_the_terminal_and_breaks_no_word(
        #[case] width: Option<u16>,
        #[case] headings: &str,
        #[case] cells: &str,
    ) {
        let row = ["6703723351497508865", "a-note-of-many-columns", "somebody"];
        let rows = [row.map(str::to_owned).to_vec()];
        let table = fitted(&["clip", "note", "author"], &[], &rows, &[1], &[1, 2], width);
        let lines = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let lines: Vec<String> = lines.filter(|line| !line.starts_with('─')).collect();
        assert_eq!(lines, [headings, cells]);
    }

    #[test]
    fn texts_of_the_api_cannot_command_the_terminal() {
        let title = "a\u{7}b\u{1b}[2Jc\u{9b}d\u{202e}e\u{2066}f\r\n\tשלום 👩\u{200d}👧 e\u{301}";
        let harmless =
            "a\u{fffd}b\u{fffd}[2Jc\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}\n\tשלום 👩\u{200d}👧 e\u{301}";
        assert_eq!(as_shown(title), harmless);
    }
}
