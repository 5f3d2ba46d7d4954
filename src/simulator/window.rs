//! A window as the API shows it: scaled to its own peak and rounded to two decimals.

use super::world::{Truth, born_on};
use crate::clock::DAY;
use crate::model::{Ask, TrendPoint, Window};

/// The points of the window that ends on the day before `now`; empty when nobody listened.
///
/// 7 and 30 days have a point a day. 120 days have one a week: the average of the seven days that
/// end on it, so that the newest point is the newest day here too. A sound younger than the window
/// has fewer points.
pub fn window(truth: &Truth, ask: &Ask, now: i64) -> Vec<TrendPoint> {
    let step = if ask.window == Window::Days120 { 7 } else { 1 };
    let days = days(ask, now.div_euclid(DAY) - 1, step);
    let values: Vec<f64> = days.iter().map(|day| average(truth, ask, *day, step)).collect();
    let peak = values.iter().copied().fold(0.0, f64::max);
    if peak <= 0.0 {
        return Vec::new();
    }
    let points = days.into_iter().zip(values);
    points
        .map(|(day, value)| TrendPoint {
            time: day * DAY,
            value: (value / peak * 100.0).round() / 100.0,
        })
        .collect()
}

/// The days that have a point, ascending up to `last`.
fn days(ask: &Ask, last: i64, step: i64) -> Vec<i64> {
    let points = ask.window.days() / step;
    (0..points)
        .rev()
        .map(|n| last - n * step)
        .filter(|day| *day >= born_on(&ask.clip_id))
        .collect()
}

/// The average of so many days, of which `last` is the last.
fn average(truth: &Truth, ask: &Ask, last: i64, days: i64) -> f64 {
    let sum: f64 = (last + 1 - days..=last)
        .map(|day| truth.popularity(&ask.clip_id, ask.region, day))
        .sum();
    #[allow(clippy::cast_precision_loss, reason = "one or seven")]
    let days = days as f64;
    sum / days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::Shape;
    use rstest::rstest;

    const NOW: i64 = 1_770_000_000; // 2026-02-02, 02:40

    fn ask(clip_id: &str, window: Window) -> Ask {
        Ask {
            clip_id: clip_id.parse().unwrap(),
            region: "US".parse().unwrap(),
            window,
        }
    }

    fn alive(window: Window) -> Ask {
        let truth = Truth::new(1);
        (0..)
            .map(|n| ask(&(7_350_000_000_000_000_000_u64 + n).to_string(), window))
            .find(|ask| truth.shape(&ask.clip_id, ask.region) == Shape::Revival)
            .unwrap()
    }

    #[rstest]
    #[case(Window::Days7, 7, 1)]
    #[case(Window::Days30, 30, 1)]
    #[case(Window::Days120, 17, 7)]
    fn a_window_ends_on_the_previous_day_and_its_peak_is_one(
        #[case] length: Window,
        #[case] points: usize,
        #[case] step: i64,
    ) {
        let window = window(&Truth::new(1), &alive(length), NOW);
        assert_eq!(window.len(), points);
        assert_eq!(
            window.last().map(|p| p.time),
            Some(NOW - NOW.rem_euclid(DAY) - DAY)
        );
        assert!(
            window
                .windows(2)
                .all(|pair| pair[1].time - pair[0].time == step * DAY)
        );
        let peak = window.iter().map(|p| p.value).fold(0.0, f64::max);
        assert!((peak - 1.0).abs() < 1e-12);
        for point in window {
            let hundredths = point.value * 100.0;
            assert!((hundredths - hundredths.round()).abs() < 1e-9);
        }
    }

    #[test]
    fn the_same_day_has_another_value_once_the_peak_has_moved() {
        let (truth, ask) = (Truth::new(1), alive(Window::Days7));
        let moved = (0..60).any(|day| {
            let before = window(&truth, &ask, NOW + day * DAY);
            let after = window(&truth, &ask, NOW + (day + 1) * DAY);
            before[1..]
                .iter()
                .zip(&after)
                .any(|(b, a)| b.time == a.time && (b.value - a.value).abs() > 0.1)
        });
        assert!(moved);
    }

    #[test]
    fn a_young_sound_has_a_short_window_and_one_of_today_none() {
        let born = |days_ago: i64| ((NOW - days_ago * DAY) << 32).to_string();
        let truth = Truth::new(1);
        let of = |days_ago, length| window(&truth, &ask(&born(days_ago), length), NOW).len();
        let alive = (3..20).find(|days| of(*days, Window::Days30) > 0).unwrap();
        assert_eq!(
            i64::try_from(of(alive, Window::Days30)),
            Ok(alive),
            "from its birth to yesterday"
        );
        assert_eq!(of(0, Window::Days7), 0);
    }
}
