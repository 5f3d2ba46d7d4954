//! `watch list`: what the watchlist file asks for, sound by sound.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, fitting};
use crate::clock::rfc3339;
use crate::config::{Budget, Config};
use crate::problem::Problems;
use crate::schedule::Schedule;
use crate::source::read_text;
use crate::watchlist::edit::{Editor, Entry};
use crate::watchlist::parse;
use crate::words::{about, counted};

/// What is watched: the document of `--json`.
#[derive(Debug, Serialize)]
struct Listed {
    file: String,
    sounds: Vec<Sound>,
    targets: usize,
    credits_per_day: f64,
}

/// One entry of the file.
#[derive(Debug, Serialize)]
struct Sound {
    clip_id: String,
    regions: Vec<String>,
    periods: Vec<String>,
    schedule: String,
    time_zone: String,
    next_slot: Option<String>,
    credits_per_day: f64,
    tags: Vec<String>,
    note: Option<String>,
}

pub(super) fn run(config: &Config, path: &Path, output: Output) -> Result<Exit, Failure> {
    let text = read_text(path, "`soundwatch watch add CLIP_ID` makes it").map_err(Problems::from)?;
    let targets = parse(path, &text)?.targets.len();
    let editor = Editor::open(&text).map_err(Problems::from)?;
    let mut schedules = Schedules {
        now: clock().now(),
        known: HashMap::new(),
    };
    let sounds: Vec<Sound> = editor
        .entries()
        .map(|entry| sound(entry, config.budget, &mut schedules))
        .collect();
    let listed = Listed {
        file: path.display().to_string(),
        targets,
        // The sum of nothing would be -0.
        credits_per_day: sounds.iter().fold(0.0, |sum, sound| sum + sound.credits_per_day),
        sounds,
    };
    output.result(&listed, Listed::text)?;
    Ok(Exit::Done)
}

/// Many sounds have few schedules: the next slot and the slots of a day are found once for each.
struct Schedules {
    now: i64,
    known: HashMap<(String, String), (Option<i64>, f64)>,
}

impl Schedules {
    fn of(&mut self, schedule: &str, time_zone: &str) -> (Option<i64>, f64) {
        let now = self.now;
        *self
            .known
            .entry((schedule.to_owned(), time_zone.to_owned()))
            .or_insert_with(|| match Schedule::parse(schedule, time_zone) {
                Ok(schedule) => (schedule.next(now), schedule.slots_a_day(now)),
                Err(_) => (None, 0.0),
            })
    }
}

fn sound(entry: &Entry, budget: Budget, schedules: &mut Schedules) -> Sound {
    let (next, slots_a_day) = schedules.of(&entry.schedule, &entry.time_zone);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let credits_a_slot = entry.targets().count() as f64 * budget.credits_per_request as f64;
    Sound {
        clip_id: entry.clip_id.to_string(),
        regions: entry.regions.iter().map(ToString::to_string).collect(),
        periods: entry.periods.iter().map(ToString::to_string).collect(),
        schedule: entry.schedule.clone(),
        time_zone: entry.time_zone.clone(),
        next_slot: next.map(rfc3339),
        credits_per_day: credits_a_slot * slots_a_day,
        tags: entry.tags.clone(),
        note: entry.note.clone(),
    }
}

impl Listed {
    fn text(&self) -> String {
        let headings = [
            "sound",
            "regions",
            "periods",
            "schedule",
            "next slot",
            "credits/day",
            "tags",
            "note",
        ];
        let row = |sound: &Sound| {
            let zone = match sound.time_zone.as_str() {
                "UTC" => String::new(),
                zone => format!(" {zone}"),
            };
            vec![
                sound.clip_id.clone(),
                sound.regions.join(", "),
                sound.periods.join(", "),
                format!("{}{zone}", sound.schedule),
                sound.next_slot.clone().unwrap_or_default(),
                format!("{:.1}", sound.credits_per_day),
                sound.tags.join(", "),
                sound.note.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.sounds.iter().map(row).collect();
        let table = fitting(&headings, &[5], &rows, &[1, 6, 7], &[7, 4, 6, 5, 2]);
        format!(
            "{table}\n{}, {}, about {} a day",
            counted(self.sounds.len(), "sound"),
            counted(self.targets, "target"),
            about(self.credits_per_day, "credit")
        )
    }
}
