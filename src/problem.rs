//! What is wrong with something that a person wrote, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the person named it.
    pub file: PathBuf,
    /// Line and column, where they are known.
    pub position: Option<(usize, usize)>,
}

impl Place {
    /// The place of byte `offset` in `text`, which is what `file` holds.
    pub fn in_text(file: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |s| s.chars().count()) + 1;
        Self {
            file: file.to_path_buf(),
            position: Some((line, column)),
        }
    }

    /// A whole file.
    pub fn file(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            position: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.position
            .map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, if it stands in a file.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that stands in no file, e.g. in an environment variable.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: without_keys(&message.into()),
            help: None,
        }
    }

    /// The same problem, with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same problem, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(without_keys(&help.into()));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.message)?;
        self.help
            .as_ref()
            .map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// A text without the API keys in it: someone may have written one where something else belongs.
fn without_keys(text: &str) -> String {
    const BEGINNING: &str = "sk_live_";
    let mut parts = text.split(BEGINNING);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| c.is_whitespace() || "\"'`,;()@".contains(c);
        let rest = part.find(ends).and_then(|end| part.get(end..));
        shown.extend([BEGINNING, "…", rest.unwrap_or_default()]);
    }
    shown
}

/// The known word that was probably meant by `word`, if one is near enough.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let near_enough = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), k))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= near_enough)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_message_is_not_shown() {
        let problem =
            Problem::new("\"sk_live_a/b\" is no number, nor is sk_live_c").help("not /x/sk_live_d (is it?)");
        let shown = problem.to_string();
        assert_eq!(
            shown,
            "\"sk_live_…\" is no number, nor is sk_live_…\n  help: not /x/sk_live_… (is it?)"
        );
    }

    #[test]
    fn a_typo_finds_its_word_and_a_strange_word_finds_none() {
        let known = ["base_url", "attempts", "pause"];
        assert_eq!(nearest("attemps", known), Some("attempts"));
        assert_eq!(nearest("BASEURL", known), Some("base_url"));
        assert_eq!(nearest("colour", known), None);
    }
}
