//! The watchlist parser.

use std::collections::HashSet;
use std::path::Path;

use soundwatch::schedule::Schedule;
use soundwatch::watchlist::parse;

/// 2026-02-02.
const NOW: i64 = 1_770_000_000;

/// Any text becomes targets, each once and with a schedule that works, or problems, each with a
/// place that is in the text.
pub(crate) fn watchlist(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let file = Path::new("watchlist.toml");
    let read = parse(file, text);
    assert_eq!(read, parse(file, text), "the same text read differently");
    let told = match read {
        Ok(watchlist) => {
            let mut seen = HashSet::new();
            for target in &watchlist.targets {
                assert!(seen.insert((&target.clip_id, target.region, target.period)));
                let schedule = Schedule::parse(&target.schedule, &target.time_zone);
                let schedule = schedule.expect("what was accepted can be used");
                assert!(schedule.interval_seconds(NOW) > 0);
            }
            watchlist.warnings
        }
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused without a reason");
            problems.0
        }
    };
    for problem in told {
        let place = problem.place.clone().expect("a problem has a place");
        let (line, column) = place.position.expect("with line and column");
        let width = text.split('\n').nth(line - 1).map(|line| line.chars().count());
        let width = width.unwrap_or_else(|| panic!("there is no line {line}: {problem}"));
        assert!(
            (1..=width + 1).contains(&column),
            "there is no column {column}: {problem}"
        );
    }
}
