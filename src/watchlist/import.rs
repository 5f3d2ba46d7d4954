//! Sounds from a spreadsheet's export (CSV with headings) or from a plain list of links. Pure.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::clip_id;
use super::edit::{Common, Wish};
use crate::model::{ClipId, Period, Region};
use crate::problem::{Place, Problem};
use crate::schedule::Schedule;

/// Headings of the sound; where a line fills several of them, the first of these counts.
const CLIP: [&str; 5] = ["clip", "clip_id", "link", "url", "sound"];
/// The other headings.
const REGIONS: [&str; 2] = ["region", "regions"];
const PERIODS: [&str; 2] = ["period", "periods"];
const TAGS: [&str; 2] = ["tag", "tags"];
const NOTE: [&str; 2] = ["note", "notes"];
const SCHEDULE: [&str; 1] = ["schedule"];

/// Within a cell.
const BETWEEN: [char; 5] = [',', ';', '/', '|', ' '];
/// Within a cell of tags, which may be of several words.
const BETWEEN_TAGS: [char; 3] = [',', ';', '|'];

/// What stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// One for each good line.
    pub wishes: Vec<Wish>,
    /// One or more for each bad line.
    pub problems: Vec<Problem>,
    /// Headings that mean nothing here.
    pub unused: Vec<String>,
}

/// Reads the text of `file`. What a line leaves open is taken from `common`; its tags are for all.
pub fn read(file: &Path, text: &str, common: &Common) -> Imported {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let delimiter = delimiter(first);
    let cells: Vec<String> = first.split(char::from(delimiter)).map(heading).collect();
    let has_headings = cells.iter().any(|cell| CLIP.contains(&cell.as_str()));
    let mut reading = Reading {
        file,
        common,
        imported: Imported::default(),
    };
    if has_headings {
        reading.table(text, delimiter);
    } else if cells.len() > 1 {
        let message = "the first line does not say which column is the sound";
        let help = format!(
            "name its columns there; the sound's is one of: {}",
            CLIP.join(", ")
        );
        reading.wrong(1, message, &help);
    } else {
        reading.list(text);
    }
    if reading.imported.wishes.is_empty() && reading.imported.problems.is_empty() {
        reading.wrong(
            1,
            "there are no sounds in this file",
            "write a clip ID or a link on each line",
        );
    }
    reading.imported
}

/// What stands between the cells: whatever the first line has most of.
fn delimiter(first: &str) -> u8 {
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    let mut found = b',';
    for other in [b';', b'\t'] {
        if count(&other) > count(&found) {
            found = other;
        }
    }
    found
}

fn heading(cell: &str) -> String {
    cell.trim()
        .trim_matches('"')
        .trim()
        .to_lowercase()
        .replace([' ', '-'], "_")
}

struct Reading<'a> {
    file: &'a Path,
    common: &'a Common,
    imported: Imported,
}

/// A wish as far as its line could be read.
type Read = Result<Wish, Vec<(String, String)>>;

impl Reading<'_> {
    fn wrong(&mut self, line: usize, message: &str, help: &str) {
        let place = Place {
            file: self.file.to_path_buf(),
            position: Some((line, 1)),
        };
        self.imported
            .problems
            .push(Problem::new(message).help(help).at(place));
    }

    fn take(&mut self, line: usize, read: Read) {
        match read {
            Ok(wish) => self.imported.wishes.push(wish),
            Err(problems) => problems
                .iter()
                .for_each(|(message, help)| self.wrong(line, message, help)),
        }
    }

    /// One clip ID or link on each line; what follows a # is a comment.
    fn list(&mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = clip_id(line.trim_matches('"')).map(|clip_id| self.common.wish(clip_id));
            self.take(number + 1, read.map_err(|problem| vec![problem]));
        }
    }

    fn table(&mut self, text: &str, delimiter: u8) {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut headings: Option<Vec<String>> = None;
        let mut record = StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.wrong(1, &format!("this is no CSV: {error}"), "export it again"),
            }
            let line = record
                .position()
                .map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            match &headings {
                None => headings = Some(self.headings(&record)),
                Some(headings) => {
                    let read = row(headings, &record, self.common);
                    self.take(line, read);
                }
            }
        }
    }

    fn headings(&mut self, record: &StringRecord) -> Vec<String> {
        let headings: Vec<String> = record.iter().map(heading).collect();
        let known = |name: &str| {
            let lists: [&[&str]; 6] = [&CLIP, &REGIONS, &PERIODS, &TAGS, &NOTE, &SCHEDULE];
            lists.iter().any(|list| list.contains(&name))
        };
        let unused = headings.iter().filter(|name| !name.is_empty() && !known(name));
        self.imported.unused = unused.cloned().collect();
        headings
    }
}

/// One line of a table.
fn row(headings: &[String], record: &StringRecord, common: &Common) -> Read {
    let cell = |names: &[&str]| {
        let filled = |name: &&str| {
            let at = headings.iter().position(|heading| heading == name)?;
            record.get(at).map(str::trim).filter(|text| !text.is_empty())
        };
        names.iter().find_map(filled)
    };
    let mut problems = Vec::new();
    let clip = clip_cell(cell(&CLIP))
        .map_err(|problem| problems.push(problem))
        .ok();
    let regions = parts(
        cell(&REGIONS),
        "region",
        "its code of two letters, such as US",
        &mut problems,
    );
    let periods = parts(cell(&PERIODS), "period", "7, 30, 120 or auto", &mut problems);
    let schedule = cell(&SCHEDULE).map(str::to_owned);
    if let Some(Err(error)) = schedule.as_deref().map(|text| Schedule::parse(text, "UTC")) {
        problems.push((error.to_string(), error.help()));
    }
    let Some(clip_id) = clip.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    let mut tags = common.tags.clone();
    let own = cell(&TAGS).unwrap_or_default().split(BETWEEN_TAGS).map(str::trim);
    for tag in own.filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    Ok(Wish {
        clip_id,
        regions: if regions.is_empty() {
            common.regions.clone()
        } else {
            regions
        },
        periods: if periods.is_empty() {
            common.periods.clone()
        } else {
            periods
        },
        schedule: schedule.or_else(|| common.schedule.clone()),
        tags,
        note: cell(&NOTE).map(str::to_owned).or_else(|| common.note.clone()),
    })
}

fn clip_cell(cell: Option<&str>) -> Result<ClipId, (String, String)> {
    let Some(text) = cell else {
        return Err((
            "this line names no sound".to_owned(),
            "write its clip ID or a link".to_owned(),
        ));
    };
    clip_id(text).map_err(|(message, help)| {
        // 6.70372E+18 is what a spreadsheet makes of an ID that it takes for a number.
        if text.contains("E+") || text.contains("e+") {
            let help =
                "the spreadsheet has rounded this ID: format the column as text and put the IDs in again";
            return (message, help.to_owned());
        }
        (message, help)
    })
}

/// The parts of a cell that names several.
fn parts<T: std::str::FromStr>(
    cell: Option<&str>,
    what: &str,
    right: &str,
    problems: &mut Vec<(String, String)>,
) -> Vec<T> {
    let mut read = Vec::new();
    let words = cell
        .unwrap_or_default()
        .split(BETWEEN)
        .filter(|word| !word.is_empty());
    for word in words {
        match word.parse() {
            Ok(part) => read.push(part),
            Err(_) => problems.push((format!("{word:?} is not a {what}"), format!("write {right}"))),
        }
    }
    read
}

/// Regions as they are written on a command line: `US`, `US,LV`.
pub fn regions(text: &str) -> Result<Vec<Region>, Problem> {
    words(
        text,
        "region",
        "its code of two letters, such as US; several with commas between: US,LV",
    )
}

/// Periods as they are written on a command line: `7`, `7,120`.
pub fn periods(text: &str) -> Result<Vec<Period>, Problem> {
    words(
        text,
        "period",
        "7, 30, 120 or auto; several with commas between: 7,120",
    )
}

fn words<T: std::str::FromStr>(text: &str, what: &str, right: &str) -> Result<Vec<T>, Problem> {
    let mut problems = Vec::new();
    let read = parts(Some(text), what, right, &mut problems);
    match problems.into_iter().next() {
        Some((message, help)) => Err(Problem::new(message).help(help)),
        None => Ok(read),
    }
}

#[cfg(test)]
mod tests;
