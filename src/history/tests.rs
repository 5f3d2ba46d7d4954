use super::*;

fn day(day: i64, value: f64) -> IndexDay {
    IndexDay {
        day,
        value,
        low: value * 0.9,
        high: value * 1.1,
        segment: 1,
        provisional: false,
    }
}

fn score(id: &str, score: f64) -> Score {
    Score {
        id: id.to_owned(),
        name: id.to_owned(),
        score: Some(score),
    }
}

#[test]
fn a_line_ends_at_a_missing_day_and_where_days_stop_comparing() {
    let other = IndexDay {
        segment: 2,
        ..day(6, 1.0)
    };
    let days = [day(1, 1.0), day(2, 1.0), day(4, 1.0), day(5, 1.0), other];
    let lengths: Vec<usize> = runs(&days).map(<[_]>::len).collect();
    assert_eq!(lengths, [2, 2, 1]);
}

#[test]
fn a_change_is_told_of_settled_days_with_bounds_that_hold_the_true_ones() {
    let mut days: Vec<IndexDay> = (0..=31).map(|n| day(n, 50.0)).collect();
    days[23].value = 25.0;
    (days[23].low, days[23].high) = (20.0, 26.0);
    days[31].provisional = true;
    let summary = summary(&days).unwrap();
    assert_eq!((summary.newest.day, summary.settled.day), (31, 30));
    let week = summary.week.unwrap();
    assert!((week.times - 2.0).abs() < 1e-9 && week.is_certain());
    assert!((week.least - 45.0 / 26.0).abs() < 1e-9);
    assert!((week.most.unwrap() - 55.0 / 20.0).abs() < 1e-9);
    assert!(
        !summary.month.unwrap().is_certain(),
        "the same value within its bounds"
    );
}

#[test]
fn there_is_no_change_across_segments_from_a_missing_day_or_from_nothing() {
    let days = |segment: i64, value: f64, from: i64| {
        [
            IndexDay {
                segment,
                ..day(from, value)
            },
            IndexDay {
                segment: 2,
                ..day(40, 1.0)
            },
        ]
    };
    assert!(
        summary(&days(1, 5.0, 33)).unwrap().week.is_none(),
        "another segment"
    );
    assert!(summary(&days(2, 5.0, 32)).unwrap().week.is_none(), "no such day");
    assert!(
        summary(&days(2, 0.0, 33)).unwrap().week.is_none(),
        "nothing before"
    );
    assert!(summary(&days(2, 5.0, 33)).unwrap().week.is_some());
    assert!(summary(&[]).is_none());
}

#[test]
fn the_peak_is_the_first_best_day_of_the_newest_segment() {
    let old = IndexDay {
        segment: 0,
        ..day(1, 100.0)
    };
    let days = [old, day(3, 90.0), day(4, 100.0), day(5, 100.0)];
    assert_eq!(summary(&days).unwrap().peak.day, 4);
}

#[test]
fn moves_tell_what_came_went_and_changed_the_most() {
    let now = [
        score("LV", 1400.0),
        score("HR", 500.0),
        score("LT", 900.0),
        score("EE", 100.0),
    ];
    let before = [
        score("LV", 1000.0),
        score("LT", 910.0),
        score("BG", 800.0),
        score("EE", 300.0),
    ];
    let told: Vec<_> = moves(&now, &before, 3)
        .into_iter()
        .map(|change| (change.name, change.before.is_some(), change.now.is_some()))
        .collect();
    let expected = [
        ("HR", false, true),
        ("BG", true, false),
        ("EE", true, true),
        ("LV", true, true),
    ];
    assert_eq!(moves(&now, &[], 3), [], "nothing was told before");
    assert_eq!(
        told,
        expected.map(|(name, before, now)| (name.to_owned(), before, now))
    );
}
