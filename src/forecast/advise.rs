//! Which period and schedule would give which accuracy of the index for how many credits. Pure; the
//! accuracies are those of `cargo bench --bench index`, and the suite holds them against the truth again.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Budget;
use crate::model::{Period, TargetSpec, Window};
use crate::schedule::Schedule;

/// Days that credits are told for.
const DAYS: f64 = 30.0;

/// A schedule that is sparser than a way by no more than this part is still that way.
const ABOUT: f64 = 1.05;

/// A way of collecting, with the accuracy of the index that comes of it, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// What is asked for.
    pub period: Period,
    /// Days from one slot to the next.
    pub every_days: f64,
    /// 120 days come back with a point a week, so that they have no part in the index.
    pub weekly_120: bool,
    /// Half of the days are nearer to the truth than this.
    pub median_error: f64,
    /// 95 of 100 days are.
    pub most_error: f64,
    /// Half of the distance between the bounds, relative to the value: the median.
    pub half_width: f64,
}

const fn way(period: Period, every_days: f64, weekly_120: bool, figures: [f64; 3]) -> Way {
    let [median_error, most_error, half_width] = figures;
    Way {
        period,
        every_days,
        weekly_120,
        median_error,
        most_error,
        half_width,
    }
}

const WEEK: Period = Period::Fixed(Window::Days7);
const MONTH: Period = Period::Fixed(Window::Days30);
const FOUR_MONTHS: Period = Period::Fixed(Window::Days120);

/// All ways, those with 120 daily days first.
pub const WAYS: [Way; 18] = [
    way(Period::Auto, 1.0, false, [0.09, 1.14, 0.62]),
    way(Period::Auto, 3.5, false, [0.12, 1.52, 0.71]),
    way(Period::Auto, 7.0, false, [0.17, 1.75, 0.86]),
    way(Period::Auto, 14.0, false, [0.23, 2.20, 1.14]),
    way(FOUR_MONTHS, 7.0, false, [0.17, 2.58, 0.81]),
    way(FOUR_MONTHS, 30.0, false, [0.31, 3.39, 1.36]),
    way(Period::Auto, 1.0, true, [0.12, 0.70, 1.42]),
    way(Period::Auto, 3.5, true, [0.17, 1.04, 1.65]),
    way(Period::Auto, 7.0, true, [0.21, 1.18, 2.10]),
    way(Period::Auto, 14.0, true, [0.29, 1.49, 3.03]),
    way(MONTH, 1.0, false, [0.14, 0.96, 1.28]),
    way(MONTH, 3.5, false, [0.17, 1.05, 1.65]),
    way(MONTH, 7.0, false, [0.21, 1.16, 2.11]),
    way(MONTH, 14.0, false, [0.30, 1.48, 3.06]),
    way(WEEK, 1.0, false, [0.35, 1.77, 8.32]),
    way(WEEK, 2.0, false, [0.42, 2.15, 10.11]),
    way(WEEK, 3.5, false, [0.56, 2.83, 14.75]),
    way(WEEK, 4.0, false, [0.62, 3.29, 15.33]),
];

/// An accuracy that serves nearly everything, in percent: 95 % error and half-width.
const GOOD: (f64, f64) = (2.0, 3.5);

/// Bounds that are not closer than this part of the present ones are not worth a change.
const WORTH: f64 = 0.8;

/// A way with what it costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// `7`, `30`, `120` or `auto`.
    pub period: String,
    /// A schedule for it.
    pub schedule: &'static str,
    /// Of one target, on the average.
    pub credits_in_30_days: f64,
    /// Percent.
    pub median_error: f64,
    /// 95 of 100 days are nearer to the truth, percent.
    pub most_error: f64,
    /// Percent.
    pub half_width: f64,
}

/// What targets with one period and schedule get for their credits, and what they could.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// As it is.
    pub period: String,
    /// As it is.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// How many have it.
    pub targets: i64,
    /// Of one of them, on the average.
    pub credits_in_30_days: f64,
    /// What is to be expected; `None` where windows do not connect, or have a point a week.
    pub now: Option<Offer>,
    /// The most exact way for no more credits; `None` if it is hardly better than the present one.
    pub better: Option<Offer>,
    /// The cheapest way that is good enough for nearly everything; `None` if none is cheaper.
    pub cheaper: Option<Offer>,
}

impl Way {
    fn offer(&self, budget: Budget) -> Offer {
        Offer {
            period: self.period.to_string(),
            schedule: self.cron(),
            credits_in_30_days: DAYS / self.every_days * budget.credits_per_request as f64,
            median_error: self.median_error,
            most_error: self.most_error,
            half_width: self.half_width,
        }
    }

    fn cron(&self) -> &'static str {
        match self.every_days {
            ..1.5 => "15 6 * * *",
            ..3.0 => "15 6 */2 * *",
            ..3.75 => "15 6 * * 1,4",
            ..5.0 => "15 6 */4 * *",
            ..10.0 => "15 6 * * 1",
            ..20.0 => "15 6 1,15 * *",
            _ => "15 6 1 * *",
        }
    }

    /// Whether it is one while 120 days come back so.
    fn holds(&self, weekly_120: bool) -> bool {
        match self.period {
            Period::Auto => self.weekly_120 == weekly_120,
            Period::Fixed(Window::Days120) => !weekly_120,
            Period::Fixed(_) => true,
        }
    }
}

/// All ways that there are while 120 days come back so, with their prices.
pub fn offers(budget: Budget, weekly_120: bool) -> Vec<Offer> {
    let ways = WAYS.iter().filter(|way| way.holds(weekly_120));
    ways.map(|way| way.offer(budget)).collect()
}

/// The way of a target: of those with its period the one that is as sparse as its schedule or more.
fn way_of(period: Period, every_days: f64, weekly_120: bool) -> Option<&'static Way> {
    WAYS.iter()
        .filter(|way| way.period == period && way.holds(weekly_120))
        .filter(|way| every_days <= way.every_days * ABOUT)
        .min_by(|a, b| a.every_days.total_cmp(&b.every_days))
}

/// Advice for each period and schedule of these targets, the one with the most targets first.
pub fn advise<'a>(
    targets: impl IntoIterator<Item = &'a TargetSpec>,
    budget: Budget,
    weekly_120: bool,
    now: i64,
) -> Vec<Advice> {
    let mut counts: BTreeMap<(String, &str, &str), (Period, i64)> = BTreeMap::new();
    for target in targets {
        let key = (
            target.period.to_string(),
            target.schedule.as_str(),
            target.time_zone.as_str(),
        );
        counts.entry(key).or_insert((target.period, 0)).1 += 1;
    }
    let advice = counts
        .into_iter()
        .filter_map(|((period, schedule, time_zone), (wanted, targets))| {
            let slots_a_day = Schedule::parse(schedule, time_zone).ok()?.slots_a_day(now);
            let every_days = 1.0 / slots_a_day;
            let present = way_of(wanted, every_days, weekly_120);
            let better = best_for(every_days, weekly_120)
                .filter(|way| present.is_none_or(|present| way.half_width < WORTH * present.half_width));
            let cheaper = cheapest(weekly_120).filter(|way| every_days * ABOUT < way.every_days);
            Some(Advice {
                period,
                schedule: schedule.to_owned(),
                time_zone: time_zone.to_owned(),
                targets,
                credits_in_30_days: DAYS * slots_a_day * budget.credits_per_request as f64,
                now: present.map(|way| way.offer(budget)),
                better: better.map(|way| way.offer(budget)),
                cheaper: cheaper.map(|way| way.offer(budget)),
            })
        });
    let mut advice: Vec<Advice> = advice.collect();
    advice.sort_by_key(|advice| std::cmp::Reverse(advice.targets));
    advice
}

/// The most exact way that asks no more often: the closest bounds, then the smallest error.
fn best_for(every_days: f64, weekly_120: bool) -> Option<&'static Way> {
    let exactness = |way: &&Way| (way.half_width, way.most_error);
    WAYS.iter()
        .filter(|way| way.holds(weekly_120) && way.every_days * ABOUT >= every_days)
        .min_by(|a, b| exactness(a).partial_cmp(&exactness(b)).unwrap_or(Ordering::Equal))
}

/// The cheapest way that is good.
fn cheapest(weekly_120: bool) -> Option<&'static Way> {
    WAYS.iter()
        .filter(|way| way.holds(weekly_120) && way.most_error <= GOOD.0 && way.half_width <= GOOD.1)
        .max_by(|a, b| a.every_days.total_cmp(&b.every_days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BUDGET: Budget = Budget {
        credits_per_request: 2,
        daily_credits: 100,
        monthly_credits: 3_000,
    };

    fn advice(period: &str, schedule: &str, weekly_120: bool) -> Advice {
        let target = TargetSpec {
            clip_id: "6703723351497508865".parse().unwrap(),
            region: crate::model::Region::US,
            period: period.parse().unwrap(),
            schedule: schedule.to_owned(),
            time_zone: "UTC".to_owned(),
            tags: Vec::new(),
            note: None,
        };
        advise([&target, &target], BUDGET, weekly_120, 1_770_015_600).remove(0)
    }

    #[test]
    fn a_week_a_day_gets_the_mix_for_the_same_credits() {
        let advice = advice("7", "15 6 * * *", false);
        assert_eq!((advice.targets, advice.credits_in_30_days), (2, 60.0));
        let (now, better) = (advice.now.unwrap(), advice.better.unwrap());
        assert_eq!(
            (better.period.as_str(), better.credits_in_30_days),
            ("auto", 60.0)
        );
        assert!(better.half_width < now.half_width / 5.0);
        assert!(advice.cheaper.unwrap().credits_in_30_days < 15.0);
    }

    #[rstest]
    #[case::the_mix("15 6 * * *", false)]
    #[case::the_mix_where_120_days_come_weekly("15 6 * * *", true)]
    #[case::in_turn("15 6 * * 1", false)]
    fn what_is_best_already_stays(#[case] schedule: &str, #[case] weekly_120: bool) {
        let advice = advice("auto", schedule, weekly_120);
        assert!(advice.now.is_some(), "{advice:?}");
        assert_eq!(advice.better, None);
    }

    #[rstest]
    #[case::windows_that_do_not_meet("7", "15 6 * * 1", false)]
    #[case::a_point_a_week("120", "15 6 * * 1", true)]
    fn where_no_index_can_be_nothing_is_promised(
        #[case] period: &str,
        #[case] schedule: &str,
        #[case] weekly_120: bool,
    ) {
        let advice = advice(period, schedule, weekly_120);
        assert_eq!(advice.now, None);
        assert!(advice.better.is_some());
    }

    #[test]
    fn no_offer_has_120_days_where_they_come_weekly() {
        assert!(offers(BUDGET, true).iter().all(|offer| offer.period != "120"));
        assert!(offers(BUDGET, false).iter().any(|offer| offer.period == "120"));
    }
}
