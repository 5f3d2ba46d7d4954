//! A chart as people and machines see it.

use std::collections::HashSet;

use serde::Serialize;

use crate::cli::chart::sparkline;
use crate::cli::exit::Exit;
use crate::cli::output::fitting;
use crate::cli::watch::edit::Report;
use crate::model::{ChartEntry, ClipId};
use crate::store::charts::ChartState;
use crate::words::counted;

/// A chart and what came of it: the document of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Discovered {
    pub(super) region: String,
    pub(super) period: i64,
    #[serde(flatten)]
    pub(super) state: ChartState,
    pub(super) sounds: Vec<Sound>,
    pub(super) edit: Option<Report>,
    pub(super) not_on_chart: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Sound {
    rank: Option<i64>,
    rank_diff: Option<i64>,
    rank_diff_type: Option<i64>,
    clip_id: String,
    title: Option<String>,
    author: Option<String>,
    trend: Vec<f64>,
    watched: bool,
}

pub(super) fn sound(entry: ChartEntry, watched: &HashSet<ClipId>) -> Sound {
    Sound {
        watched: watched.contains(&entry.clip_id),
        rank: entry.rank,
        rank_diff: entry.rank_diff,
        rank_diff_type: entry.rank_diff_type,
        clip_id: entry.clip_id.to_string(),
        title: entry.sound.title,
        author: entry.sound.author,
        trend: entry.trend,
    }
}

impl Discovered {
    pub(super) fn exit(&self) -> Exit {
        let stopped = matches!(
            self.state.reason.as_deref(),
            Some("budget" | "paused" | "unauthorized" | "out_of_credits" | "forbidden")
        );
        match self.state.outcome.as_deref() {
            Some("stored") if self.not_on_chart.is_empty() => Exit::Done,
            _ if stopped => Exit::Stopped,
            Some("failed" | "rejected" | "skipped") if self.sounds.is_empty() => Exit::Failed,
            _ => Exit::Part,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.sounds.is_empty() {
            parts.push(self.table());
        }
        let state = &self.state;
        let outcome = state.outcome.as_deref().unwrap_or("not read to its end");
        let reason = state
            .reason
            .as_deref()
            .map_or(String::new(), |reason| format!(" ({reason})"));
        parts.push(format!(
            "{} {}d: {outcome}{reason}; {} on {}, {}",
            self.region,
            self.period,
            counted(self.sounds.len(), "sound"),
            counted(state.pages_read, "page"),
            counted(state.credits, "credit")
        ));
        if let Some(error) = state.error.as_deref().filter(|_| outcome != "stored") {
            parts.push(error.to_owned());
        }
        if !self.not_on_chart.is_empty() {
            let clips = self.not_on_chart.join(", ");
            parts.push(format!("not on these pages, and not added: {clips}"));
        }
        match &self.edit {
            Some(edit) => parts.push(edit.text()),
            None if !self.sounds.is_empty() => parts.push(format!(
                "`soundwatch watch add CLIP_ID --region {}` watches one of them, for no credits now.",
                self.region
            )),
            None => {}
        }
        parts.join("\n")
    }

    fn table(&self) -> String {
        let row = |sound: &Sound| {
            vec![
                sound.rank.map(|rank| rank.to_string()).unwrap_or_default(),
                moved(sound),
                sound.clip_id.clone(),
                sound.title.clone().unwrap_or_default(),
                sound.author.clone().unwrap_or_default(),
                sparkline(&sound.trend),
                if sound.watched { "yes" } else { "" }.to_owned(),
            ]
        };
        let headings = ["rank", "", "sound", "title", "author", "trend", "watched"];
        let rows: Vec<_> = self.sounds.iter().map(row).collect();
        fitting(&headings, &[0, 1], &rows, &[3, 4], &[4, 5, 1, 3])
    }
}

/// By how many places a sound has moved.
fn moved(sound: &Sound) -> String {
    let steps = || {
        sound
            .rank_diff
            .map(|steps| steps.abs().to_string())
            .unwrap_or_default()
    };
    match sound.rank_diff_type {
        Some(1) => format!("+{}", steps()),
        Some(2) => "=".to_owned(),
        Some(3) => format!("-{}", steps()),
        Some(4) => "new".to_owned(),
        _ => String::new(),
    }
}
