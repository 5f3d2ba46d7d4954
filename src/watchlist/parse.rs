//! The text of a watchlist as targets.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Value};
use super::{Examined, Watchlist};
use crate::model::{ClipId, Period, Region, TargetSpec, Window};
use crate::problem::Problems;
use crate::source::{Source, kind_of, offset};

const SECTIONS: [&str; 2] = ["defaults", "sounds"];
const DEFAULTS: [&str; 4] = ["regions", "period", "schedule", "time_zone"];
const SOUND: [&str; 7] = [
    "clip",
    "regions",
    "period",
    "schedule",
    "time_zone",
    "tags",
    "note",
];

/// Sounds that are read at once. The tree of a TOML text takes some fifteen times its length, and
/// a daemon that has read 100,000 sounds in one go would hold on to that memory for years.
const PIECE: usize = 2_000;

/// Reads the text of the watchlist `file`: all targets, or everything that is wrong.
pub fn parse(file: &Path, text: &str) -> Result<Watchlist, Problems> {
    examine_text(file, text).usable()
}

/// The same, with the warnings also when there are problems.
pub(super) fn examine_text(file: &Path, text: &str) -> Examined {
    read(file, text, &pieces(text)).unwrap_or_else(|NotInPieces| {
        read(file, text, &[0]).unwrap_or_else(|NotInPieces| Examined::default())
    })
}

/// The text must be read in one piece.
struct NotInPieces;

/// Where to cut the text: before every so manieth sound. The first piece has the defaults.
fn pieces(text: &str) -> Vec<usize> {
    let mut at = 0;
    let starts = text.split_inclusive('\n').filter_map(|line| {
        at += line.len();
        line.trim_start()
            .starts_with("[[sounds]]")
            .then(|| at - line.len())
    });
    let cuts = starts
        .enumerate()
        .filter(|(number, _)| *number > 0 && number % PIECE == 0);
    std::iter::once(0).chain(cuts.map(|(_, start)| start)).collect()
}

/// Reads the text cut at these places. A text that is wrong as TOML, or that has something else than
/// sounds further down, is for reading in one piece.
fn read(file: &Path, text: &str, starts: &[usize]) -> Result<Examined, NotInPieces> {
    let mut parser = Parser {
        fields: Fields::new(Source::new(file, text)),
        seen: HashMap::new(),
        targets: Vec::new(),
    };
    let mut defaults = None;
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(text.len());
        let (table, broken) = parser.fields.source.toml(*start..end);
        if !broken.is_empty() && starts.len() == 1 {
            // Half a file would bring problems that are none, such as "no sounds at all".
            return Ok(Examined::broken(broken));
        }
        match &defaults {
            None => defaults = Some(parser.file(&table)),
            Some(defaults) if broken.is_empty() && table.len() == 1 => parser.sounds(&table, defaults),
            Some(_) => return Err(NotInPieces),
        }
        if !broken.is_empty() {
            return Err(NotInPieces);
        }
    }
    let Parser { fields, targets, .. } = parser;
    let (mut problems, mut warnings) = (fields.problems, fields.warnings);
    problems.sort();
    warnings.sort();
    Ok(Examined {
        watchlist: Watchlist { targets, warnings },
        problems: Problems(problems),
    })
}

/// How a sound is asked for.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) regions: Vec<Region>,
    pub(super) periods: Vec<Period>,
    pub(super) schedule: String,
    pub(super) time_zone: String,
}

impl Asking {
    /// What holds where the file says nothing.
    pub(super) fn built_in() -> Self {
        Self {
            regions: vec![Region::US],
            periods: vec![Period::Fixed(Window::Days7)],
            schedule: "15 6 * * *".to_owned(),
            time_zone: "UTC".to_owned(),
        }
    }
}

struct Parser<'a> {
    fields: Fields<'a>,
    /// The line on which a target stands.
    seen: HashMap<(ClipId, Region, Period), usize>,
    targets: Vec<TargetSpec>,
}

impl Parser<'_> {
    /// Reads the first piece, and gives the defaults.
    fn file(&mut self, table: &DeTable<'_>) -> Asking {
        self.fields.only(&SECTIONS, table);
        let built_in = Asking::built_in();
        let defaults = match table.get("defaults") {
            Some(value) => self.defaults(value, &built_in),
            None => built_in,
        };
        self.sounds(table, &defaults);
        defaults
    }

    fn sounds(&mut self, table: &DeTable<'_>, defaults: &Asking) {
        match table.get("sounds").map(|value| (value, value.get_ref())) {
            Some((_, DeValue::Array(sounds))) if !sounds.is_empty() => {
                for sound in sounds {
                    self.sound(sound, defaults);
                }
            }
            Some((value, DeValue::Table(_))) => self.fields.wrong(
                offset(value),
                "[sounds] holds only one sound",
                "write [[sounds]], with two brackets, before each sound",
            ),
            Some((value, other)) if !matches!(other, DeValue::Array(_)) => {
                let message = format!("sounds is {}", kind_of(other));
                self.fields
                    .wrong(offset(value), message, "write [[sounds]] before each sound");
            }
            _ => self.fields.wrong(
                0,
                "there are no sounds at all",
                "write at least one:\n[[sounds]]\nclip = \"6703723351497508865\"",
            ),
        }
    }

    fn defaults(&mut self, value: &Value<'_>, built_in: &Asking) -> Asking {
        let DeValue::Table(table) = value.get_ref() else {
            self.fields.wrong(
                offset(value),
                "defaults is not a section",
                "write [defaults] on a line of its own",
            );
            return built_in.clone();
        };
        self.fields.only(&DEFAULTS, table);
        self.asking(table, built_in)
    }

    /// What a table says, and the defaults for what it does not say or says wrongly.
    fn asking(&mut self, table: &DeTable<'_>, defaults: &Asking) -> Asking {
        let fields = &mut self.fields;
        let regions = table.get("regions").and_then(|v| fields.regions(v));
        let periods = table.get("period").and_then(|v| fields.periods(v));
        let schedule = table.get("schedule").and_then(|v| fields.schedule(v));
        let time_zone = table.get("time_zone").and_then(|v| fields.time_zone(v));
        Asking {
            regions: regions.unwrap_or_else(|| defaults.regions.clone()),
            periods: periods.unwrap_or_else(|| defaults.periods.clone()),
            schedule: schedule.unwrap_or_else(|| defaults.schedule.clone()),
            time_zone: time_zone.unwrap_or_else(|| defaults.time_zone.clone()),
        }
    }

    fn sound(&mut self, value: &Value<'_>, defaults: &Asking) {
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("a sound is {}", kind_of(value.get_ref()));
            self.fields
                .wrong(offset(value), message, "write [[sounds]] before each sound");
            return;
        };
        self.fields.only(&SOUND, table);
        let told = self.fields.problems.len();
        let asking = self.asking(table, defaults);
        let asking_is_clear = self.fields.problems.len() == told;
        let tags = table.get("tags").and_then(|v| self.fields.tags(v));
        let note = table.get("note").and_then(|v| self.fields.text("note", v));
        let Some(clip) = table.get("clip") else {
            self.fields.wrong(
                offset(value),
                "this sound has no clip",
                "write its ID: clip = \"6703723351497508865\"",
            );
            return;
        };
        let Some(clip_id) = self.fields.clip(clip) else {
            return;
        };
        if !asking_is_clear {
            // With other regions than were meant, it could look like a repetition.
            return;
        }
        let mut repeated: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for region in &asking.regions {
            for period in &asking.periods {
                let spec = TargetSpec {
                    clip_id: clip_id.clone(),
                    region: *region,
                    period: *period,
                    schedule: asking.schedule.clone(),
                    time_zone: asking.time_zone.clone(),
                    tags: tags.clone().unwrap_or_default(),
                    note: note.clone(),
                };
                let place = format!("in {region} with period {period}");
                if let Some(first) = self.target(spec, offset(clip)) {
                    let places = repeated.entry(first).or_default();
                    if !places.contains(&place) {
                        places.push(place);
                    }
                }
            }
        }
        self.repeated(&clip_id, offset(clip), &repeated);
    }

    /// One problem for each line that asks for the same already.
    fn repeated(&mut self, clip_id: &ClipId, at: usize, repeated: &BTreeMap<usize, Vec<String>>) {
        let line = self.fields.source.line(at);
        for (first, places) in repeated {
            let message = format!("{clip_id} {} is asked for twice", places.join(", "));
            let help = if *first == line {
                "name each region and each period once".to_owned()
            } else {
                format!("line {first} asks for it already: take one of them out")
            };
            self.fields.wrong(at, message, help);
        }
    }

    /// Takes a target, unless a line asks for it already: that line.
    fn target(&mut self, spec: TargetSpec, at: usize) -> Option<usize> {
        let line = self.fields.source.line(at);
        let key = (spec.clip_id.clone(), spec.region, spec.period);
        if let Some(first) = self.seen.get(&key) {
            return Some(*first);
        }
        self.seen.insert(key, line);
        self.targets.push(spec);
        None
    }
}
