//! A TOML file that a person wrote: its text, its values with their places, its broken lines.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problem};

/// What the parser says at the end of a text in which a bracket is open.
const UNCLOSED: [&str; 2] = [
    "unclosed array, expected `]`",
    "unclosed inline table, expected `}`",
];

const OPEN_LIST: &str = "the list that begins here is not closed";
const OPEN_TABLE: &str = "the table that begins here is not closed";

/// The text of a file, with a table of its lines: a file of a million lines is asked for the
/// places of a million values.
#[derive(Debug)]
pub struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    line_starts: Vec<usize>,
    /// Where the piece begins from which offsets count.
    base: usize,
}

impl<'a> Source<'a> {
    /// `text` is what `file` holds.
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file,
            text,
            line_starts: std::iter::once(0).chain(newlines).collect(),
            base: 0,
        }
    }

    /// The place of the byte `offset`.
    pub fn place(&self, offset: usize) -> Place {
        let line = self.line(offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..self.base + offset).unwrap_or("");
        Place {
            file: self.file.to_path_buf(),
            position: Some((line, before.chars().count() + 1)),
        }
    }

    /// What stands on the line of the byte `offset` from there on.
    fn rest_of_line(&self, offset: usize) -> &str {
        let rest = self.text.get(self.base + offset..).unwrap_or_default();
        rest.lines().next().unwrap_or_default().trim()
    }

    /// The line of the byte `offset`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= self.base + offset)
    }

    /// The values in a piece of the text that could be read, and every line that is not TOML. From
    /// now on offsets count from the beginning of the piece.
    pub fn toml(&mut self, piece: Range<usize>) -> (DeTable<'a>, Vec<Problem>) {
        self.base = piece.start;
        let (table, errors) = DeTable::parse_recoverable(self.text.get(piece).unwrap_or_default());
        let mut places: Vec<(usize, &str)> = errors
            .iter()
            .map(|error| (error.span().map_or(0, |span| span.start), error.message()))
            .collect();
        let unclosed = places.iter().find(|(_, message)| UNCLOSED.contains(message));
        let opening = unclosed.and_then(|(end, _)| opening(table.get_ref(), *end));
        // What follows a mistake on its line is mostly no mistake of its own.
        places.sort_by_key(|(offset, _)| *offset);
        places.dedup_by_key(|(offset, _)| self.line(*offset));
        if let Some(opening) = opening {
            // From there on everything was read as a part of it.
            places.retain(|(offset, _)| *offset < opening.0);
            places.push(opening);
        }
        let problems = places.into_iter().map(|(offset, message)| {
            let (message, help) = in_words(message, self.rest_of_line(offset));
            Problem::new(format!("not valid TOML: {message}"))
                .help(help)
                .at(self.place(offset))
        });
        (table.into_inner(), problems.collect())
    }
}

/// Where the list or the table in brackets begins that nothing closes up to `end`, and what to say of it.
fn opening(table: &DeTable<'_>, end: usize) -> Option<(usize, &'static str)> {
    table.values().find_map(|value| opening_in(value, end))
}

fn opening_in(value: &Spanned<DeValue<'_>>, end: usize) -> Option<(usize, &'static str)> {
    let span = value.span();
    let goes_on = span.end >= end;
    match value.get_ref() {
        DeValue::Array(_) if goes_on => Some((span.start, OPEN_LIST)),
        DeValue::Table(_) if goes_on => Some((span.start, OPEN_TABLE)),
        // The span of a section is its heading.
        DeValue::Array(values) => values.iter().find_map(|value| opening_in(value, end)),
        DeValue::Table(table) => opening(table, end),
        _ => None,
    }
}

/// What the parser says, for people, and what to do about it; `rest` is what it has stumbled on.
fn in_words<'m>(message: &'m str, rest: &str) -> (&'m str, String) {
    let is = |part: &str| message.contains(part);
    let help = if is("string values must be quoted") && rest.is_empty() {
        return ("there is no value", "write one, or take the line out".to_owned());
    } else if is("string values must be quoted") {
        return ("a text without quotes", "put it in quotes: \"…\"".to_owned());
    } else if is("basic string") || is("literal string") {
        "close the quotes on the line on which they are opened"
    } else if is("unclosed") || is("is not closed") {
        "close the bracket"
    } else if is("key with no value") || is("unquoted key") {
        "write a name, an equals sign and a value: name = \"value\""
    } else if is("duplicate key") {
        return ("it stands here a second time", "take one of them out".to_owned());
    } else {
        "a line is a [section], or name = value with texts in quotes"
    };
    (message, help.to_owned())
}

/// The text of a file; `when_missing` says what to do when there is none.
pub fn read_text(path: &Path, when_missing: &str) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| {
        let problem = match error.kind() {
            ErrorKind::NotFound => Problem::new("there is no such file").help(when_missing),
            ErrorKind::InvalidData => Problem::new("the file is not UTF-8 text").help("save it as UTF-8"),
            ErrorKind::IsADirectory => Problem::new("this is a folder, not a file").help("name a file in it"),
            ErrorKind::PermissionDenied => Problem::new("this user may not read the file")
                .help("let the user that runs soundwatch read it, and run `check` as that user"),
            _ => Problem::new(format!("the file cannot be read: {error}")),
        };
        problem.at(Place::file(path))
    })
}

/// What a value is, for "expected this, found that".
pub fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Where a value or a key begins.
pub fn offset<T>(spanned: &Spanned<T>) -> usize {
    spanned.span().start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\nü = 2\n";
        let source = Source::new(Path::new("f.toml"), text);
        assert_eq!(source.place(0).to_string(), "f.toml:1:1");
        assert_eq!(source.place(6).to_string(), "f.toml:2:1");
        assert_eq!(
            source.place(text.find('2').unwrap()).to_string(),
            "f.toml:2:5",
            "the umlaut is one column, though two bytes"
        );
        assert_eq!(source.place(text.len()).to_string(), "f.toml:3:1");
    }

    #[rstest::rstest]
    #[case::to_the_end_of_the_file(
        "a = 1\nb = [\"x\",\n\"y\"\nc = 2\nd = [\"z\"]\n[e]\nf = 3\n",
        "f.toml:2:5",
        "list"
    )]
    #[case::in_a_section("[[s]]\na = [1, 2\n\n[[s]]\na = [1]\n[[s]]\na = [1]\n", "f.toml:2:5", "list")]
    #[case::an_inline_table("a = { b = 1\nc = 2\nd = 3\n", "f.toml:1:5", "table")]
    fn a_bracket_that_is_not_closed_is_one_problem_where_it_is_opened(
        #[case] text: &str,
        #[case] place: &str,
        #[case] what: &str,
    ) {
        let (_, problems) = Source::new(Path::new("f.toml"), text).toml(0..text.len());
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        let told = problem.to_string();
        let expected = format!("{place}: not valid TOML: the {what} that begins here is not closed");
        assert!(told.starts_with(&expected), "{told}");
    }

    #[test]
    fn what_is_wrong_before_a_bracket_that_is_not_closed_is_told_too() {
        let text = "a =\nb = [1\nc = 2\n";
        let (_, problems) = Source::new(Path::new("f.toml"), text).toml(0..text.len());
        let places: Vec<_> = problems.iter().map(|p| p.to_string()).collect();
        assert_eq!(places.len(), 2, "{places:?}");
        assert!(places[0].starts_with("f.toml:1:"), "{places:?}");
        assert!(places[1].starts_with("f.toml:2:5: "), "{places:?}");
    }

    #[test]
    fn every_broken_line_is_told_with_its_place() {
        let text = "a = \nb = 1\nc = = 2\n";
        let (table, problems) = Source::new(Path::new("f.toml"), text).toml(0..text.len());
        let places: Vec<_> = problems.iter().map(|p| p.to_string()).collect();
        assert_eq!(places.len(), 2, "{places:?}");
        assert!(places[0].starts_with("f.toml:1:"), "{places:?}");
        assert!(places[1].starts_with("f.toml:3:"), "{places:?}");
        assert!(table.contains_key("b"));
    }
}
