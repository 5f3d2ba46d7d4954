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
fn a_sound_that_is_flat_but_for_its_weekdays_has_not_changed() {
    // Each seventh day four times as much: a day alone against another would be +300 % or −75 %.
    let days: Vec<IndexDay> = (0..35)
        .map(|n| day(n, if n % 7 == 5 { 100.0 } else { 25.0 }))
        .collect();
    for newest in 28..35 {
        let summary = summary(&days[..=newest]).unwrap();
        let week = summary.week.unwrap();
        assert!((week.times - 1.0).abs() < 1e-9 && !week.is_certain(), "{week:?}");
        assert_eq!(summary.four_weeks.is_some(), newest == 34, "{newest}");
    }
    assert!((summary(&days).unwrap().four_weeks.unwrap().times - 1.0).abs() < 1e-9);
}

#[test]
fn a_change_is_told_of_settled_weeks_with_bounds_that_hold_the_true_ones() {
    let mut days: Vec<IndexDay> = (0..14).map(|n| day(n, if n < 7 { 25.0 } else { 50.0 })).collect();
    (days[0].low, days[0].high) = (11.5, 48.5);
    days.push(IndexDay {
        provisional: true,
        ..day(14, 0.0)
    });
    let week = summary(&days).unwrap().week.unwrap();
    assert!((week.times - 2.0).abs() < 1e-9 && week.is_certain());
    let (low, high) = ((6.0 * 22.5 + 11.5) / 7.0, (6.0 * 27.5 + 48.5) / 7.0);
    assert!((week.least - 45.0 / high).abs() < 1e-9, "{week:?}");
    assert!((week.most.unwrap() - 55.0 / low).abs() < 1e-9, "{week:?}");
}

#[test]
fn there_is_no_change_across_segments_from_a_missing_day_or_from_nothing() {
    let two_weeks = |change: fn(&mut IndexDay)| {
        let mut days: Vec<IndexDay> = (26..40).map(|n| day(n, 5.0)).collect();
        days.iter_mut().take(7).for_each(change);
        days
    };
    let week = |days: &[IndexDay]| summary(days).and_then(|summary| summary.week);
    assert!(week(&two_weeks(|_| {})).is_some());
    assert!(
        week(&two_weeks(|day| day.segment = 0)).is_none(),
        "another segment"
    );
    assert!(
        week(&two_weeks(|day| day.value = 0.0)).is_none(),
        "nothing before"
    );
    assert!(
        week(&two_weeks(|day| day.provisional = true)).is_none(),
        "not settled"
    );
    for missing in [0, 5, 10] {
        let mut days = two_weeks(|_| {});
        days.remove(missing);
        assert!(week(&days).is_none(), "a day is missing");
    }
    assert!(week(&two_weeks(|_| {})[..13]).is_none(), "fewer than two weeks");
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

#[test]
fn lists_begin_with_what_surely_grew_and_end_with_what_surely_fell() {
    let change = |times: f64, least: f64, most: Option<f64>| Change { times, least, most };
    let sorted = [
        change(1e9, 1.1, None),
        change(3.0, 1.5, Some(6.0)),
        change(1.2, 1.1, Some(1.3)),
        change(4.0, 0.9, None),
        change(1.1, 0.9, Some(1.2)),
        change(0.9, 0.8, Some(0.95)),
        change(0.0, 0.0, Some(0.1)),
    ];
    assert!(
        sorted.windows(2).all(|pair| pair[0].rank() > pair[1].rank()),
        "{:?}",
        sorted.map(|change| change.rank())
    );
}
