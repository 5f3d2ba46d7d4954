use rstest::rstest;

use super::*;
use crate::problem::Problems;

/// Monday, 2026-02-02 07:00:00 UTC.
const NOW: i64 = 1_770_015_600;

fn target(n: usize, schedule: &str, time_zone: &str) -> TargetSpec {
    TargetSpec {
        clip_id: format!("{n:019}").parse().unwrap(),
        region: "US".parse().unwrap(),
        period: "7".parse().unwrap(),
        schedule: schedule.to_owned(),
        time_zone: time_zone.to_owned(),
        tags: Vec::new(),
        note: None,
    }
}

fn targets(n: usize, schedule: &str) -> Vec<TargetSpec> {
    (1..=n).map(|n| target(n, schedule, "UTC")).collect()
}

fn budget(daily_credits: i64, monthly_credits: i64) -> Budget {
    Budget {
        credits_per_request: 2,
        daily_credits,
        monthly_credits,
    }
}

const PLENTY: i64 = 1_000_000;

fn at(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}

fn slots(forecast: &Forecast) -> Vec<i64> {
    forecast.days.iter().map(|day| day.slots).collect()
}

#[test]
fn today_has_what_is_still_to_come_and_what_is_due_now() {
    let mut watched = targets(3, "15 6 * * *");
    watched.extend(targets(1, "0 */12 * * *"));
    let standing = Standing {
        due_now: 4,
        ..Standing::default()
    };
    let forecast = Forecast::new(&watched, None, budget(PLENTY, PLENTY), standing, NOW, 3);
    assert_eq!(slots(&forecast), [5, 5, 5]);
    assert_eq!(
        forecast.days[1],
        Day {
            day: "2026-02-03".to_owned(),
            slots: 5,
            requests: 5,
            credits: 10,
            paid_credits: 10,
            over_credits: 0,
        }
    );
    assert_eq!(forecast.over_budget(), []);
    assert_eq!(forecast.next_slot.as_deref(), Some("2026-02-02T12:00:00Z"));
}

/// 19:00 in New York is 00:00 UTC in winter and 23:00 in summer.
#[rstest]
#[case::clocks_go_forward("2026-03-07T12:00:00Z", [0, 2, 1, 1])]
#[case::clocks_go_back("2026-10-31T12:00:00Z", [1, 0, 1, 1])]
fn a_day_on_which_clocks_change_has_the_slots_that_it_really_has(
    #[case] now: &str,
    #[case] expected: [i64; 4],
) {
    let watched = [target(1, "0 19 * * *", "America/New_York")];
    let forecast = Forecast::new(
        &watched,
        None,
        budget(PLENTY, PLENTY),
        Standing::default(),
        at(now),
        4,
    );
    assert_eq!(slots(&forecast), expected);
}

#[test]
fn a_day_over_its_budget_says_which_setting_or_schedule_to_change() {
    let forecast = Forecast::new(
        &targets(60, "0 6,18 * * *"),
        None,
        budget(100, PLENTY),
        Standing::default(),
        NOW,
        4,
    );
    let over: Vec<_> = forecast
        .days
        .iter()
        .map(|day| (day.credits, day.paid_credits, day.over_credits))
        .collect();
    assert_eq!(
        over,
        [(120, 100, 20), (240, 100, 140), (240, 100, 140), (240, 100, 140)]
    );
    let told = Problems(forecast.over_budget()).to_string();
    insta::assert_snapshot!(told, @r#"
    2026-02-03 needs 240 credits, and budget.daily_credits is 100: what is over it is skipped; 3 more days are over it
      help: set budget.daily_credits to 240 at least, or watch less, or less often (most is for schedule "0 6,18 * * *" UTC: 240 credits a day)
    "#);
}

#[test]
fn what_was_spent_today_leaves_less_for_today_and_for_the_month() {
    let standing = Standing {
        spent: Spent { day: 98, month: 150 },
        due_now: 3,
    };
    let forecast = Forecast::new(&targets(1, "@daily"), None, budget(100, 160), standing, NOW, 6);
    let paid: Vec<i64> = forecast.days.iter().map(|day| day.paid_credits).collect();
    assert_eq!(paid, [2, 2, 2, 2, 2, 0]);
    assert_eq!(
        forecast.months,
        [Month {
            month: "2026-02".to_owned(),
            spent_credits: 150,
            credits: 6 + 26 * 2,
            monthly_credits: 160,
            over_credits: 48,
        }]
    );
    let told = Problems(forecast.over_budget()).to_string();
    insta::assert_snapshot!(told, @r#"
    2026-02-02 needs 104 credits, and budget.daily_credits is 100: what is over it is skipped
      help: set budget.daily_credits to 104 at least, or watch less, or less often (most is for schedule "@daily" UTC: 2 credits a day)
    2026-02 needs 208 credits, and budget.monthly_credits is 160: what is over it is skipped
      help: set budget.monthly_credits to 208 at least, or watch less, or less often (most is for schedule "@daily" UTC: 2 credits a day)
    "#);
}

#[test]
fn a_new_month_has_its_own_budget_and_is_summed_up_to_its_end() {
    let now = at("2026-02-27T07:00:00Z");
    let forecast = Forecast::new(
        &targets(1, "@daily"),
        None,
        budget(100, 4),
        Standing::default(),
        now,
        5,
    );
    let paid: Vec<i64> = forecast.days.iter().map(|day| day.paid_credits).collect();
    assert_eq!(paid, [0, 2, 2, 2, 0]);
    let months: Vec<_> = forecast
        .months
        .iter()
        .map(|m| (m.month.as_str(), m.credits, m.over_credits))
        .collect();
    assert_eq!(months, [("2026-02", 2, 0), ("2026-03", 62, 58)]);
}

#[test]
fn a_budget_of_nothing_pays_for_nothing_and_targets_that_ask_nothing_cost_nothing() {
    let nothing = budget(0, 0);
    let forecast = Forecast::new(&targets(1, "@daily"), None, nothing, Standing::default(), NOW, 2);
    assert_eq!(forecast.over_budget().len(), 2);
    let spent = Standing {
        spent: Spent { day: 10, month: 10 },
        due_now: 0,
    };
    let quiet = Forecast::new(&targets(1, "0 0 1 1 *"), None, nothing, spent, NOW, 2);
    assert_eq!(quiet.over_budget(), []);
}

#[test]
fn a_hundred_thousand_targets_in_a_few_groups_are_counted_together() {
    let schedules = ["15 6 * * *", "@hourly", "0 6 * * 1-5"];
    let watched: Vec<TargetSpec> = (0..100_000)
        .map(|n| target(n, schedules[n % 3], "Europe/Riga"))
        .collect();
    let forecast = Forecast::new(
        &watched,
        None,
        budget(PLENTY, PLENTY),
        Standing::default(),
        NOW,
        30,
    );
    assert_eq!(forecast.targets, 100_000);
    assert_eq!(forecast.schedules.len(), 3);
    // Tuesday: once, 24 times, once.
    assert_eq!(slots(&forecast)[1], 33_334 + 24 * 33_333 + 33_333);
    assert!((credits_per_day(&watched, budget(0, 0), NOW) - forecast.credits_per_day).abs() < 1e-6);
}

#[test]
fn pages_of_charts_are_counted_with_the_slots_and_shown_apart() {
    let discover = Discover {
        regions: vec!["US".parse().unwrap(), "LV".parse().unwrap()],
        window: crate::model::Window::Days7,
        new_to_top_100: false,
        commercial: false,
        pages: 3,
        schedule: "45 5 * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        add_top: 20,
        exclude: Vec::new(),
        max_targets: 50,
        keep_days: 14,
    };
    let watched = targets(4, "15 6 * * *");
    let of = |budget| Forecast::new(&watched, Some(&discover), budget, Standing::default(), NOW, 2);
    let forecast = of(budget(PLENTY, PLENTY));
    let asked: Vec<_> = forecast
        .days
        .iter()
        .map(|d| (d.slots, d.requests, d.credits))
        .collect();
    assert_eq!(asked, [(0, 0, 0), (4, 10, 20)]);
    assert_eq!((forecast.targets, forecast.schedules.len()), (4, 1));
    let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
    assert!(close(forecast.credits_per_day, 20.0), "{forecast:?}");
    assert!(close(forecast.charts.unwrap().credits_per_day, 12.0));
    assert!(!of(budget(19, PLENTY)).over_budget().is_empty());
    assert!(of(budget(20, PLENTY)).over_budget().is_empty());
}
