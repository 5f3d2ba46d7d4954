//! Slots against calendars worked out by hand, and against a plain walk over every minute.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::clock::rfc3339;

fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone).unwrap()
}

/// The slots of a stretch, as times of the zone's clocks with their offset.
fn shown(expression: &str, zone: &str, after: &str, until: &str) -> Vec<String> {
    let tz: Tz = zone.parse().unwrap();
    schedule(expression, zone)
        .between(at(after), at(until))
        .map(|slot| {
            let time = DateTime::<Utc>::from_timestamp(slot, 0)
                .unwrap()
                .with_timezone(&tz);
            time.format("%H:%M%:z").to_string()
        })
        .collect()
}

/// The night of 29 March 2026 in Paris: 02:00+01:00 becomes 03:00+02:00.
const PARIS_SPRING: (&str, &str) = ("2026-03-28T23:30:00Z", "2026-03-29T03:30:00Z");
/// The night of 25 October 2026 in Paris: 03:00+02:00 becomes 02:00+01:00.
const PARIS_AUTUMN: (&str, &str) = ("2026-10-24T22:30:00Z", "2026-10-25T03:30:00Z");

#[rstest]
#[case::once("30 2 * * *", &["03:00+02:00"])]
#[case::hours_in_a_list("0 2,4 * * *", &["03:00+02:00", "04:00+02:00"])]
#[case::hours_in_a_range("30 1-3 * * *", &["01:30+01:00", "03:00+02:00", "03:30+02:00"])]
#[case::two_skipped_times_at_one_instant("0,30 2 * * *", &["03:00+02:00"])]
#[case::meets_the_slot_that_is_there("0 2-3 * * *", &["03:00+02:00"])]
#[case::every_hour("30 * * * *", &["01:30+01:00", "03:30+02:00", "04:30+02:00", "05:30+02:00"])]
fn a_time_that_paris_skips_runs_at_the_next_valid_instant(#[case] cron: &str, #[case] slots: &[&str]) {
    assert_eq!(shown(cron, "Europe/Paris", PARIS_SPRING.0, PARIS_SPRING.1), slots);
}

#[rstest]
#[case::once("30 2 * * *", &["02:30+02:00"])]
#[case::hours_in_a_list("0 2,4 * * *", &["02:00+02:00", "04:00+01:00"])]
#[case::hours_in_a_range("30 1-3 * * *", &["01:30+02:00", "02:30+02:00", "03:30+01:00"])]
#[case::minutes_of_one_hour("*/30 2 * * *", &["02:00+02:00", "02:30+02:00"])]
#[case::every_second_hour("0 */2 * * *", &["02:00+02:00", "04:00+01:00"])]
#[case::every_hour("30 * * * *", &["01:30+02:00", "02:30+02:00", "02:30+01:00", "03:30+01:00", "04:30+01:00"])]
fn a_time_that_paris_shows_twice_runs_once_but_every_hour_goes_on(
    #[case] cron: &str,
    #[case] slots: &[&str],
) {
    assert_eq!(shown(cron, "Europe/Paris", PARIS_AUTUMN.0, PARIS_AUTUMN.1), slots);
}

#[test]
fn new_york_changes_on_its_own_days() {
    let spring = shown(
        "30 2 * * *",
        "America/New_York",
        "2026-03-08T05:00:00Z",
        "2026-03-09T05:00:00Z",
    );
    assert_eq!(spring, ["03:00-04:00"]);
    let autumn = shown(
        "30 1 * * *",
        "America/New_York",
        "2026-11-01T04:00:00Z",
        "2026-11-02T04:00:00Z",
    );
    assert_eq!(autumn, ["01:30-04:00"]);
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    // 02:00+10:30 becomes 02:30+11:00 on 4 October; 02:00+11:00 becomes 01:30+10:30 on 5 April.
    let spring = ("2026-10-03T14:00:00Z", "2026-10-03T16:45:00Z");
    let zone = "Australia/Lord_Howe";
    assert_eq!(shown("10 2 * * *", zone, spring.0, spring.1), ["02:30+11:00"]);
    assert_eq!(
        shown(
            "*/15 * * * *",
            zone,
            "2026-10-03T15:00:00Z",
            "2026-10-03T16:00:00Z"
        ),
        ["01:45+10:30", "02:30+11:00", "02:45+11:00", "03:00+11:00"]
    );
    let autumn = ("2026-04-04T14:00:00Z", "2026-04-04T15:45:00Z");
    assert_eq!(shown("45 1 * * *", zone, autumn.0, autumn.1), ["01:45+11:00"]);
    assert_eq!(
        shown(
            "*/15 * * * *",
            zone,
            "2026-04-04T14:15:00Z",
            "2026-04-04T15:30:00Z"
        ),
        [
            "01:30+11:00",
            "01:45+11:00",
            "01:30+10:30",
            "01:45+10:30",
            "02:00+10:30"
        ]
    );
}

#[rstest]
#[case("Europe/Paris")]
#[case("America/New_York")]
#[case("America/Sao_Paulo")]
fn every_quarter_of_an_hour_is_900_seconds_apart_all_year(#[case] zone: &str) {
    let slots: Vec<i64> = schedule("*/15 * * * *", zone)
        .between(at("2018-01-01T00:00:00Z"), at("2019-01-01T00:00:00Z"))
        .collect();
    assert_eq!(slots.len(), 365 * 96);
    assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == 900));
}

#[test]
fn a_midnight_that_does_not_exist_runs_when_the_day_begins() {
    // São Paulo went from 00:00 to 01:00 on 4 November 2018.
    let slots = shown(
        "@daily",
        "America/Sao_Paulo",
        "2018-11-03T12:00:00Z",
        "2018-11-05T12:00:00Z",
    );
    assert_eq!(slots, ["01:00-02:00", "00:00-02:00"]);
}

#[test]
fn the_newest_slot_in_the_second_of_two_equal_hours_is_that_of_the_first() {
    let daily = schedule("45 2 * * *", "Europe/Paris");
    let second_pass_at_2_10 = at("2026-10-25T01:10:00Z");
    assert_eq!(
        daily.newest(second_pass_at_2_10),
        Some(at("2026-10-25T00:45:00Z"))
    );
    assert_eq!(daily.next(second_pass_at_2_10), Some(at("2026-10-26T01:45:00Z")));
}

#[test]
fn newest_holds_its_own_instant_and_next_does_not() {
    let daily = schedule("15 6 * * *", "UTC");
    let slot = at("2026-02-01T06:15:00Z");
    assert_eq!(daily.newest(slot), Some(slot));
    assert_eq!(daily.newest(slot - 1), Some(slot - DAY));
    assert_eq!(daily.next(slot - 1), Some(slot));
    assert_eq!(daily.next(slot), Some(slot + DAY));
}

#[rstest]
#[case::either_fits("0 6 13 * 5", "2026-02-28T00:00:00Z", "2026-03-21T00:00:00Z", &[6, 13, 20])]
#[case::either_fits_on_other_days("0 6 10 * 5", "2026-02-28T00:00:00Z", "2026-03-14T00:00:00Z", &[6, 10, 13])]
#[case::a_star_with_a_step_joins_with_and("0 6 */2 * 5", "2026-02-28T00:00:00Z", "2026-03-28T00:00:00Z", &[13, 27])]
#[case::only_weekdays("0 6 * * 1-5", "2026-03-05T12:00:00Z", "2026-03-10T12:00:00Z", &[6, 9, 10])]
#[case::sunday_is_seven_too("0 6 * * 7", "2026-03-01T12:00:00Z", "2026-03-16T00:00:00Z", &[8, 15])]
#[case::names("0 6 * MAR MON", "2026-03-01T12:00:00Z", "2026-03-16T12:00:00Z", &[2, 9, 16])]
#[case::the_last_day("0 6 L * *", "2026-02-01T00:00:00Z", "2026-03-31T12:00:00Z", &[28, 31])]
fn days_are_joined_as_in_the_classic_cron(
    #[case] cron: &str,
    #[case] after: &str,
    #[case] until: &str,
    #[case] days: &[u32],
) {
    use chrono::Datelike;
    let found: Vec<u32> = schedule(cron, "UTC")
        .between(at(after), at(until))
        .map(|slot| DateTime::<Utc>::from_timestamp(slot, 0).unwrap().day())
        .collect();
    assert_eq!(found, days);
}

#[rstest]
#[case("@hourly", "2026-05-06T08:00:00Z")]
#[case("@Daily", "2026-05-07T00:00:00Z")]
#[case("@midnight", "2026-05-07T00:00:00Z")]
#[case("@weekly", "2026-05-10T00:00:00Z")]
#[case("@monthly", "2026-06-01T00:00:00Z")]
#[case("@yearly", "2027-01-01T00:00:00Z")]
#[case("@annually", "2027-01-01T00:00:00Z")]
#[case("30 15 6 * * *", "2026-05-07T06:15:30Z")]
#[case(" 15  6 * *  * ", "2026-05-07T06:15:00Z")]
fn names_and_seconds_are_understood(#[case] cron: &str, #[case] next: &str) {
    let slot = schedule(cron, "UTC").next(at("2026-05-06T07:30:00Z"));
    assert_eq!(slot.map(rfc3339).as_deref(), Some(next));
}

#[rstest]
#[case("", "it is empty")]
#[case("6 * * *", "it has 4 fields")]
#[case("0 0 6 * * * 2026", "it has 7 fields")]
#[case("15 25 * * *", "the hour is \"25\"")]
#[case("15 6 * * MOO", "the day of the week is \"MOO\"")]
#[case("x 6 * * *", "the minute is \"x\"")]
#[case("15 6, * * *", "empty part")]
#[case("@reboot", "no such name")]
fn an_error_says_which_part_is_wrong_and_shows_an_example(#[case] cron: &str, #[case] why: &str) {
    let error = Schedule::parse(cron, "UTC").unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.help().contains("15 6 * * *"));
}

#[test]
fn a_day_that_never_comes_is_an_error_and_a_leap_day_is_not() {
    let error = Schedule::parse("0 6 31 2 *", "UTC").unwrap_err();
    assert_eq!(error, ScheduleError::Never("0 6 31 2 *".to_owned()));
    let leap = schedule("0 6 29 2 *", "UTC").next(at("2026-01-01T00:00:00Z"));
    assert_eq!(leap, Some(at("2028-02-29T06:00:00Z")));
}

#[rstest]
#[case("Europe/Pariss", Some("Europe/Paris"))]
#[case("europe/paris", Some("Europe/Paris"))]
#[case("Paris", Some("Europe/Paris"))]
#[case("new york", Some("America/New_York"))]
#[case("the moon somewhere", None)]
fn an_unknown_zone_names_the_one_that_was_probably_meant(#[case] zone: &str, #[case] meant: Option<&str>) {
    let error = Schedule::parse("@daily", zone).unwrap_err();
    let ScheduleError::Zone { nearest, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(nearest, meant);
}

#[rstest]
#[case("@daily", DAY)]
#[case("@hourly", 3600)]
#[case("0 6 * * 1-5", 3 * DAY)]
#[case("0 9,17 * * *", 16 * 3600)]
#[case("*/15 9-16 * * 1-5", 2 * DAY + 16 * 3600 + 900)]
#[case("@monthly", 31 * DAY)]
fn the_interval_is_the_longest_wait_of_the_coming_days(#[case] cron: &str, #[case] seconds: i64) {
    assert_eq!(
        schedule(cron, "UTC").interval_seconds(at("2026-05-06T07:30:00Z")),
        seconds
    );
}

#[test]
fn slots_a_day_are_an_average_and_most_a_day_is_a_bound() {
    let now = at("2026-05-06T07:30:00Z");
    assert!((schedule("@daily", "UTC").slots_a_day(now) - 1.0).abs() < 0.01);
    assert!((schedule("@hourly", "UTC").slots_a_day(now) - 24.0).abs() < 0.01);
    assert!((schedule("0 6 * * 1-5", "UTC").slots_a_day(now) - 5.0 / 7.0).abs() < 0.02);
    assert_eq!(schedule("0 6 * * 1-5", "UTC").most_a_day(), 1);
    assert_eq!(schedule("*/30 6,18 * * *", "UTC").most_a_day(), 4);
}

#[test]
fn times_beyond_the_calendar_have_no_slots() {
    let daily = schedule("@daily", "UTC");
    assert_eq!(daily.newest(i64::MIN), None);
    assert_eq!(daily.next(i64::MAX), None);
}

/// Every slot in a stretch by its definition: minute by minute on the wall, without croner's walk.
fn by_definition(schedule: &Schedule, from: i64, until: i64) -> Vec<i64> {
    let fits = |wall: NaiveDateTime| schedule.cron.is_time_matching(&wall).unwrap();
    let wall_at = |t: i64| DateTime::<Utc>::from_timestamp(t, 0).unwrap();
    let minutes = |from: i64, until: i64| (from.div_euclid(60)..=until.div_euclid(60)).map(|m| m * 60);
    let mut slots: Vec<i64> = if schedule.every_hour {
        minutes(from, until)
            .filter(|t| fits(wall_at(*t).with_timezone(&schedule.zone).naive_local()))
            .collect()
    } else {
        minutes(from - DAY, until + DAY)
            .filter(|t| fits(wall_at(*t).naive_utc()))
            .map(|t| first_instant(schedule.zone, wall_at(t).naive_utc()))
            .collect()
    };
    slots.retain(|t| (from + 1..=until).contains(t));
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn first_instant(zone: Tz, wall: NaiveDateTime) -> i64 {
    let valid = (0..200).find_map(|m| {
        zone.from_local_datetime(&(wall + TimeDelta::minutes(m)))
            .earliest()
    });
    valid.unwrap().timestamp()
}

const CRONS: [&str; 12] = [
    "15 6 * * *",
    "30 2 * * *",
    "30 1,2 * * *",
    "*/20 0-3 * * *",
    "0 * * * *",
    "*/15 * * * *",
    "7 * * * 0",
    "0 0 * * *",
    "5 */2 * * *",
    "45 1 13 * 0",
    "59 23 L * *",
    "* 2 * * 0",
];

/// Zones with an instant at which their clocks change.
const CHANGES: [(&str, &str); 8] = [
    ("Europe/Paris", "2026-03-29T01:00:00Z"),
    ("Europe/Paris", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
];

/// A zone and an instant: mostly within hours of a change of its clocks, else any of 2015 to 2030.
fn places_in_time() -> impl Strategy<Value = (&'static str, i64)> {
    let near = (prop::sample::select(CHANGES.to_vec()), -DAY / 4..DAY / 4)
        .prop_map(|((zone, change), by)| (zone, at(change) + by));
    let years = at("2015-01-01T00:00:00Z")..at("2030-01-01T00:00:00Z");
    let any = (
        prop::sample::select(vec!["UTC", "Asia/Kathmandu", "Europe/Paris"]),
        years,
    );
    prop_oneof![3 => near, 1 => any]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn slots_are_what_their_definition_says(
        cron in prop::sample::select(CRONS.to_vec()),
        (zone, start) in places_in_time(),
    ) {
        let schedule = schedule(cron, zone);
        let (from, until) = (start - DAY / 4, start + DAY / 2);
        let found: Vec<i64> = schedule.between(from, until).collect();
        prop_assert_eq!(&found, &by_definition(&schedule, from, until));
        let newest = schedule.newest(until).filter(|slot| *slot > from);
        prop_assert_eq!(newest, found.last().copied());
    }

    #[test]
    fn newest_and_next_enclose_every_instant(
        cron in prop::sample::select(CRONS.to_vec()),
        (zone, now) in places_in_time(),
    ) {
        let schedule = schedule(cron, zone);
        let newest = schedule.newest(now).unwrap();
        let next = schedule.next(now).unwrap();
        prop_assert!(newest <= now && now < next);
        prop_assert_eq!(schedule.next(newest), Some(next), "nothing lies between");
        prop_assert_eq!(schedule.newest(next), Some(next));
        prop_assert_eq!(schedule.newest(next - 1), Some(newest));
    }
}
