//! Sounds that were found on a chart and are watched for that: which come into the watchlist, and which
//! go again. Pure.

use super::edit::{Change, Common, Editor, Entry, What};
use crate::model::{ClipId, Region};

/// The tag of what was found. Without it an entry is somebody's own.
pub const TAG: &str = "discovered";

/// What a chart says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The chart's market.
    pub region: Region,
    /// Its first sounds, with what they are called.
    pub top: Vec<(ClipId, Option<String>)>,
    /// Sounds that have been off it for long enough.
    pub off: Vec<ClipId>,
}

/// Whether an entry is as it was written for a sound that was found, so that it may go again.
pub fn is_discovered(entry: &Entry) -> bool {
    entry.tags == [TAG] && !entry.has_own_schedule
}

/// The sounds that were found and are watched in a region.
pub fn discovered(editor: &Editor, region: Region) -> Vec<ClipId> {
    let here = |entry: &&Entry| is_discovered(entry) && entry.regions.contains(&region);
    editor
        .entries()
        .filter(here)
        .map(|entry| entry.clip_id.clone())
        .collect()
}

/// Brings the watchlist in line with charts, with at most `max_targets` targets that were found. Gives
/// what has changed.
pub fn follow(editor: &mut Editor, found: &[Found], max_targets: usize) -> Vec<Change> {
    let mut changes = Vec::new();
    for chart in found {
        for clip in &chart.off {
            changes.push(editor.remove(clip, &[chart.region], is_discovered));
        }
    }
    let ours = editor.entries().filter(|entry| is_discovered(entry));
    let mut targets: usize = ours.map(|entry| entry.targets().count()).sum();
    for chart in found {
        let region = chart.region;
        for (clip, note) in &chart.top {
            let known = editor
                .entries_of(clip)
                .any(|entry| entry.regions.contains(&region));
            let more = editor.periods_of(clip);
            if known || targets + more > max_targets {
                continue;
            }
            let common = Common {
                regions: vec![region],
                tags: vec![TAG.to_owned()],
                note: note.clone(),
                ..Common::default()
            };
            changes.push(editor.add(&common.wish(clip.clone())));
            targets += more;
        }
    }
    changes.retain(|change| matches!(change.what, What::Added | What::Removed));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "7000000000000000001";
    const B: &str = "7000000000000000002";
    const C: &str = "7000000000000000003";

    fn found(region: &str, top: &[&str], off: &[&str]) -> Found {
        Found {
            region: region.parse().unwrap(),
            top: top
                .iter()
                .map(|clip| (clip.parse().unwrap(), Some(format!("\"{clip}\""))))
                .collect(),
            off: off.iter().map(|clip| clip.parse().unwrap()).collect(),
        }
    }

    fn followed(text: &str, found: &[Found], max_targets: usize) -> String {
        let mut editor = Editor::open(text).unwrap();
        follow(&mut editor, found, max_targets);
        editor.finish().unwrap()
    }

    #[test]
    fn what_is_found_comes_with_its_tag_and_goes_again_when_it_has_left_the_chart() {
        let own = format!("# mine\n[[sounds]]\nclip = \"{A}\"\n");
        let with = followed(&own, &[found("US", &[A, B], &[]), found("LV", &[B, A], &[])], 9);
        let added = format!(
            "{own}\n[[sounds]]\nclip = \"{B}\"\nregions = [\"US\", \"LV\"]\ntags = [\"discovered\"]\nnote = '\"{B}\"'\n\
             \n[[sounds]]\nclip = \"{A}\"\nregions = [\"LV\"]\nperiod = 7\ntags = [\"discovered\"]\nnote = '\"{A}\"'\n"
        );
        assert_eq!(with, added);
        assert_eq!(
            followed(&with, &[found("US", &[A, B], &[]), found("LV", &[B, A], &[])], 9),
            with
        );
        let without = followed(&with, &[found("US", &[], &[A, B]), found("LV", &[], &[A, B])], 9);
        assert_eq!(without, own);
    }

    #[test]
    fn no_more_targets_are_found_than_are_allowed() {
        let own = format!("[defaults]\nperiod = [7, 30]\n[[sounds]]\nclip = \"{A}\"\n");
        for (max_targets, clips) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)] {
            let with = followed(&own, &[found("US", &[A, B, C], &[])], max_targets);
            assert_eq!(with.matches("discovered").count(), clips, "{max_targets}");
        }
    }

    #[test]
    fn what_a_person_has_touched_stays() {
        let text = format!(
            "[[sounds]]\nclip = \"{A}\"\ntags = [\"discovered\", \"mine\"]\n\
             [[sounds]]\nclip = \"{B}\"\ntags = [\"discovered\"]\nschedule = \"@daily\"\n\
             [[sounds]]\nclip = \"{C}\"\n"
        );
        assert_eq!(followed(&text, &[found("US", &[], &[A, B, C])], 9), text);
    }
}
