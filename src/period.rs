//! Which window `period = "auto"` asks for: the one that serves the index best. Pure: it depends on the
//! schedule, the slot, and the newest answer of each period, so that it is the same for whoever asks.
//!
//! Every request costs the same, so the question is what makes the windows connect best. A long window
//! ties far days to each other, short ones in between tell the newest days most exactly (`docs/index.md`
//! has the measured accuracy of each way).

use std::fmt;

use crate::clock::DAY;
use crate::model::Window;

/// A schedule that is not sparser than this is a daily one (seconds).
const DAILY: i64 = DAY * 3 / 2;

/// Days from one long window to the next, and from one middle window to the next.
const WEEK: i64 = 7;

/// So many days after the long window the middle one follows, and where 30 days stand for both, each
/// other.
const SHIFT: i64 = 3;

/// After so many days without an answer a week does not reach back far enough.
const GAP: i64 = 3;

/// After so many days a month does not either.
const LONG_GAP: i64 = 25;

/// The newest answer of a target for one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The period.
    pub window: Window,
    /// When it was last seen, unix seconds.
    pub at: i64,
    /// Its points are more than a day apart, so that it has no part in the index.
    pub weekly: bool,
}

/// The window for a slot, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The window to ask for.
    pub window: Window,
    /// Why this length.
    pub reason: Why,
    /// The window that it stands for, because that one comes back weekly.
    pub instead_of: Option<Window>,
}

/// Why a length was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The first answer: as far back as there is.
    First,
    /// There was no answer for days.
    Gap,
    /// On a sparse schedule, in turn.
    Alternate,
    /// On a daily schedule, once a week.
    Long,
    /// On a daily schedule, once a week, half a week after the long one.
    Middle,
    /// On a daily schedule, in between.
    Short,
}

impl Why {
    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Gap => "gap",
            Self::Alternate => "alternate",
            Self::Long => "long",
            Self::Middle => "middle",
            Self::Short => "short",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())?;
        match self.instead_of {
            Some(weekly) => write!(f, ", {} is weekly", weekly.days()),
            None => Ok(()),
        }
    }
}

/// Chooses the window for a slot (unix seconds) of a schedule with such an interval (seconds), knowing
/// the newest answer of each period.
pub fn choose(interval: i64, slot_at: i64, answers: &[Answer]) -> Choice {
    let days_since = |at: i64| slot_at.div_euclid(DAY) - at.div_euclid(DAY);
    let age = |window| {
        answers
            .iter()
            .find(|a| a.window == window)
            .map(|a| days_since(a.at))
    };
    let (reason, wanted) = match answers.iter().map(|answer| days_since(answer.at)).min() {
        None => (Why::First, Window::Days120),
        Some(gap) if gap > LONG_GAP => (Why::Gap, Window::Days120),
        Some(_) if interval > DAILY => (Why::Alternate, in_turn(answers)),
        Some(gap) if gap > GAP => (Why::Gap, Window::Days30),
        Some(_) => of_the_mix(age, usable(Window::Days120, answers)),
    };
    let window = usable(wanted, answers);
    Choice {
        window,
        reason,
        instead_of: (window != wanted).then_some(wanted),
    }
}

/// The window itself, or the next shorter one that does not come back weekly.
fn usable(wanted: Window, answers: &[Answer]) -> Window {
    let weekly = |window| {
        answers
            .iter()
            .any(|answer| answer.window == window && answer.weekly)
    };
    match wanted {
        Window::Days120 if weekly(Window::Days120) => usable(Window::Days30, answers),
        Window::Days30 if weekly(Window::Days30) => Window::Days7,
        _ => wanted,
    }
}

/// 30 days after 120, else 120.
fn in_turn(answers: &[Answer]) -> Window {
    let newest = answers.iter().max_by_key(|answer| answer.at);
    match newest {
        Some(answer) if answer.window == Window::Days120 => Window::Days30,
        _ => Window::Days120,
    }
}

/// 120 days and 30 days once a week each, half a week apart, and 7 in between. `long` is what is asked for
/// 120 days: where it is 30, these come twice a week.
fn of_the_mix(age: impl Fn(Window) -> Option<i64>, long: Window) -> (Why, Window) {
    let older = |window, days| age(window).is_none_or(|age| age >= days);
    if long != Window::Days120 {
        return if older(Window::Days30, SHIFT) {
            (Why::Long, Window::Days120)
        } else {
            (Why::Short, Window::Days7)
        };
    }
    if older(Window::Days120, WEEK) {
        (Why::Long, Window::Days120)
    } else if older(Window::Days30, WEEK) && older(Window::Days120, SHIFT) {
        (Why::Middle, Window::Days30)
    } else {
        (Why::Short, Window::Days7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FIRST: i64 = 20_000 * DAY + 22_500;

    /// Lives through slots and gives the days that each asked for; `weekly` windows come back so.
    fn asked(slots: &[i64], interval: i64, weekly: &[Window]) -> Vec<i64> {
        let mut answers: Vec<Answer> = Vec::new();
        let mut asked = Vec::new();
        for day in slots {
            let at = FIRST + day * DAY;
            let window = choose(interval, at, &answers).window;
            answers.retain(|answer| answer.window != window);
            answers.push(Answer {
                window,
                at: at + 60,
                weekly: weekly.contains(&window),
            });
            asked.push(window.days());
        }
        asked
    }

    #[test]
    fn a_daily_schedule_gets_the_mix() {
        let days: Vec<i64> = (0..15).collect();
        assert_eq!(
            asked(&days, DAY, &[]),
            [120, 7, 7, 30, 7, 7, 7, 120, 7, 7, 30, 7, 7, 7, 120]
        );
    }

    #[test]
    fn where_120_days_come_weekly_30_take_their_place() {
        let days: Vec<i64> = (0..10).collect();
        assert_eq!(
            asked(&days, DAY, &[Window::Days120]),
            [120, 30, 7, 7, 30, 7, 7, 30, 7, 7]
        );
        let sparse = [0, 7, 14, 21];
        assert_eq!(asked(&sparse, 7 * DAY, &[Window::Days120]), [120, 30, 30, 30]);
    }

    #[test]
    fn where_30_days_come_weekly_too_only_7_are_left() {
        let days: Vec<i64> = (0..8).collect();
        let weekly = [Window::Days120, Window::Days30];
        assert_eq!(asked(&days, DAY, &weekly), [120, 30, 7, 7, 7, 7, 7, 7]);
    }

    #[rstest]
    #[case::weekly(7, [0, 7, 14, 21])]
    #[case::two_a_week(4, [0, 4, 7, 11])]
    #[case::monthly(30, [0, 20, 40, 60])]
    fn a_sparse_schedule_alternates(#[case] interval: i64, #[case] days: [i64; 4]) {
        assert_eq!(asked(&days, interval * DAY, &[]), [120, 30, 120, 30]);
    }

    #[rstest]
    #[case::of_three_days(&[0, 1, 2, 3, 6], 7)]
    #[case::of_four_days(&[0, 1, 2, 3, 7], 30)]
    #[case::of_25_days(&[0, 1, 2, 3, 28], 30)]
    #[case::of_26_days(&[0, 1, 2, 3, 29], 120)]
    fn after_a_gap_the_window_reaches_over_it(#[case] days: &[i64], #[case] then: i64) {
        assert_eq!(asked(days, DAY, &[]).last(), Some(&then));
    }

    #[test]
    fn several_slots_a_day_ask_for_the_long_windows_once() {
        let answers = [(Window::Days120, 0), (Window::Days7, 7_200)];
        let answers: Vec<Answer> = answers
            .into_iter()
            .map(|(window, after)| Answer {
                window,
                at: FIRST + after,
                weekly: false,
            })
            .collect();
        let choice = choose(3_600, FIRST + 10_800, &answers);
        assert_eq!((choice.window, choice.reason), (Window::Days7, Why::Short));
    }

    #[test]
    fn the_reason_says_what_stands_for_what() {
        let weekly = Answer {
            window: Window::Days120,
            at: FIRST,
            weekly: true,
        };
        assert_eq!(choose(DAY, FIRST, &[]).to_string(), "first");
        assert_eq!(
            choose(DAY, FIRST + DAY, &[weekly]).to_string(),
            "long, 120 is weekly"
        );
    }
}
