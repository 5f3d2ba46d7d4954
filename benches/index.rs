//! What the index costs, and how near it comes to a truth that is known:
//! `cargo bench --bench index` prints the tables of docs/index.md.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a bench measures real time, and prints it"
)]

#[path = "../tests/accuracy/policy.rs"]
mod policy;
#[path = "../tests/accuracy/truth.rs"]
mod truth;

use std::hint::black_box;

use policy::{HEADINGS, mix, outcome, outcome_of_way, rows};
use soundwatch::forecast::advise::WAYS;
use soundwatch::trend::{Series, Window, index};
use truth::{PAST, Restated, Shape, popularity, window};

/// Sounds of each shape in the table of accuracy.
const SEEDS: u64 = 16;

/// Sounds whose index is computed one after another.
const SOUNDS: u64 = 10_000;

fn main() {
    println!("{HEADINGS}");
    for (policy, _) in rows() {
        println!("{}", outcome(&policy, SEEDS).row(policy.name));
    }
    println!("\n{HEADINGS}");
    for way in WAYS {
        let name = format!(
            "{} every {} days{}",
            way.period,
            way.every_days,
            if way.weekly_120 { ", 120 weekly" } else { "" }
        );
        println!("{}", outcome_of_way(&way, SEEDS).row(&name));
    }
    one_series();
    growth();
    many();
}

/// The window that is asked on a day.
type Ask = fn(i64) -> Option<i64>;

/// The windows of a sound that is collected for so many days.
fn windows(shape: Shape, seed: u64, days: i64, ask: Ask) -> Vec<Window> {
    let truth = popularity(shape, seed, PAST + days);
    let asked = (1..=days).filter_map(|day| Some((day, ask(day)?)));
    asked
        .map(|(day, length)| window(&truth, 0, Restated::Never, PAST + day, length))
        .collect()
}

/// Milliseconds that this process has spent computing: others on the machine don't count.
fn spent() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e6
}

fn milliseconds(work: impl Fn()) -> f64 {
    let best = |_| {
        let before = spent();
        work();
        spent() - before
    };
    (0..3).map(best).fold(f64::INFINITY, f64::min)
}

fn one_series() {
    println!("\n| 365 daily windows of one series | ms, the slowest shape | the fastest |\n|---|---|---|");
    let asks: [(&str, Ask); 4] = [
        ("7 days", |_| Some(7)),
        ("the mix", mix),
        ("30 days", |_| Some(30)),
        ("120 days", |_| Some(120)),
    ];
    for (name, ask) in asks {
        let times: Vec<f64> = Shape::ALL
            .into_iter()
            .map(|shape| {
                let windows = windows(shape, 0, 365, ask);
                milliseconds(|| {
                    black_box(index(&Series::new(&windows), 0));
                })
            })
            .collect();
        let (most, least) = (
            times.iter().copied().fold(0.0, f64::max),
            times.iter().copied().fold(f64::MAX, f64::min),
        );
        println!("| {name} | {most:.1} | {least:.1} |");
    }
}

/// A longer history, and what the plain closure alone would take on as many nodes.
fn growth() {
    println!(
        "\n| years of the mix, volatile | ms | adding one day more, ms | the plain closure, ms |\n|---|---|---|---|"
    );
    for years in [1, 2, 4, 8] {
        let days = 365 * years;
        let of = |days| {
            let windows = windows(Shape::Volatile, 0, days, mix);
            milliseconds(|| {
                black_box(index(&Series::new(&windows), 0));
            })
        };
        let plain = if years <= 4 {
            format!("{:.0}", plain(days as usize))
        } else {
            "–".to_owned()
        };
        println!("| {years} | {:.1} | {:.1} | {plain} |", of(days), of(days + 1));
    }
}

/// Floyd–Warshall over all pairs.
fn plain(nodes: usize) -> f64 {
    let start: Vec<Vec<f64>> = (0..nodes)
        .map(|i| {
            (0..nodes)
                .map(|j| {
                    if i.abs_diff(j) < 7 {
                        (i.abs_diff(j)) as f64
                    } else {
                        f64::INFINITY
                    }
                })
                .collect()
        })
        .collect();
    let before = spent();
    let mut most = start;
    for k in 0..nodes {
        let through = most[k].clone();
        for row in &mut most {
            let to = row[k];
            for (bound, from) in row.iter_mut().zip(&through) {
                *bound = bound.min(to + from);
            }
        }
    }
    black_box(&most);
    spent() - before
}

fn many() {
    let mut seconds = 0.0;
    let mut days = 0;
    for n in 0..SOUNDS {
        let shape = Shape::ALL[(n % 8) as usize];
        let windows = windows(shape, n, 365, mix);
        let before = spent();
        days += black_box(index(&Series::new(&windows), 0)).days.len();
        seconds += (spent() - before) / 1e3;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: unknown");
    println!("\n{SOUNDS} sounds, a year of the mix each: {seconds:.0} s on one core, {days} days; {peak}");
}
