//! Draws docs/index.svg: the naive history and the index of one simulated sound, against the truth that
//! only the simulator knows. `cargo run --example index-picture > docs/index.svg`
#![allow(clippy::print_stdout, reason = "what it draws is its output")]

use std::collections::BTreeMap;
use std::fmt::Write;

use soundwatch::model::{ClipId, Region};
use soundwatch::simulator::world::{Shape, Truth};
use soundwatch::trend::{Series, Window, index};

/// 2026-02-02, the first day of collection.
const FIRST: i64 = 20_486;

/// Days of collection: one answer of 7 days each.
const DAYS: i64 = 120;

const WIDTH: f64 = 900.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 60.0;

fn main() {
    let (truth, clip) = (Truth::new(1), lively());
    let popularity = |day| truth.popularity(&clip, Region::US, day);
    let windows: Vec<Window> = (FIRST..FIRST + DAYS)
        .map(|now| window(now, &popularity))
        .collect();
    let mut naive = BTreeMap::new();
    windows
        .iter()
        .for_each(|window| naive.extend(window.points.iter().copied()));
    let days = index(&Series::new(&windows), 0).days;

    let true_days: Vec<(i64, f64)> = naive.keys().map(|day| (*day, popularity(*day))).collect();
    let best = |series: &[(i64, f64)]| series.iter().map(|day| day.1).fold(0.0, f64::max);
    let scaled = |series: Vec<(i64, f64)>| -> Vec<(i64, f64)> {
        let best = best(&series);
        series
            .into_iter()
            .map(|(day, value)| (day, value / best))
            .collect()
    };
    let truth = scaled(true_days);
    let naive: Vec<(i64, f64)> = naive.into_iter().collect();
    let value: Vec<(i64, f64)> = days.iter().map(|day| (day.day, day.value / 100.0)).collect();
    let low = days
        .iter()
        .map(|day| (day.day, day.low / 100.0))
        .collect::<Vec<_>>();
    let high = days.iter().rev().map(|day| (day.day, day.high / 100.0));

    let mut picture = heading();
    panel(
        &mut picture,
        60.0,
        "Naive: the newest answer of each day, one after another",
        &truth,
    );
    line(&mut picture, 60.0, &naive, "#c0392b", 2.0);
    panel(
        &mut picture,
        300.0,
        "The index, with its bounds, from the same answers",
        &truth,
    );
    let band: Vec<(i64, f64)> = low.into_iter().chain(high).collect();
    let band = points(300.0, &band);
    let _ = writeln!(
        picture,
        r##"<polygon points="{band}" fill="#2471a3" fill-opacity="0.25"/>"##
    );
    line(&mut picture, 300.0, &value, "#2471a3", 2.0);
    println!("{picture}</svg>");
}

/// A sound that is quiet and has surges: what a naive history gets wrong the most.
fn lively() -> ClipId {
    let clips = (0_u64..).filter_map(|n| (7_350_000_000_000_000_000 + n * 7_919).to_string().parse().ok());
    let moves = |clip: &ClipId| {
        let of = |day| Truth::new(1).popularity(clip, Region::US, day);
        let days = || (FIRST..FIRST + DAYS).map(of);
        days().fold(0.0, f64::max) > 8.0 * days().fold(f64::MAX, f64::min)
    };
    clips
        .filter(|clip| Truth::new(1).shape(clip, Region::US) == Shape::Revival)
        .find(moves)
        .unwrap_or_else(|| unreachable!("there is no end to the sounds"))
}

/// The answer that ends on the day before `now`.
fn window(now: i64, popularity: &impl Fn(i64) -> f64) -> Window {
    let peak = (now - 7..now).map(popularity).fold(0.0, f64::max);
    let rounded = |day| (day, (100.0 * popularity(day) / peak).round() / 100.0);
    Window {
        fetched_at: now * 86_400,
        period_days: 7,
        points: (now - 7..now).map(rounded).collect(),
    }
}

fn heading() -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 530" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="530" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="15" fill="#222222">A simulated sound over {DAYS} days, asked daily for 7 days; grey: the truth</text>
"##
    )
}

/// Where a day and a value are; `top` is that of the panel.
fn points(top: f64, series: &[(i64, f64)]) -> String {
    let x = |day: i64| LEFT + (day - FIRST + 7) as f64 * (WIDTH - LEFT - 20.0) / (DAYS + 7) as f64;
    let y = |value: f64| top + PANEL * (1.0 - value.min(1.05));
    let points = series
        .iter()
        .map(|(day, value)| format!("{:.1},{:.1}", x(*day), y(*value)));
    points.collect::<Vec<_>>().join(" ")
}

fn line(picture: &mut String, top: f64, series: &[(i64, f64)], colour: &str, width: f64) {
    let points = points(top, series);
    let _ = writeln!(
        picture,
        r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>"#
    );
}

fn panel(picture: &mut String, top: f64, title: &str, truth: &[(i64, f64)]) {
    let (bottom, right) = (top + PANEL, WIDTH - 20.0);
    let _ = writeln!(
        picture,
        r##"<text x="{LEFT}" y="{:.0}" fill="#222222">{title}</text>
<path d="M{LEFT},{top} V{bottom} H{right}" fill="none" stroke="#888888"/>
<text x="{:.0}" y="{:.0}" text-anchor="end" fill="#555555">best day</text>
<text x="{:.0}" y="{bottom:.0}" text-anchor="end" fill="#555555">0</text>"##,
        top - 8.0,
        LEFT - 4.0,
        top + 5.0,
        LEFT - 4.0,
    );
    line(picture, top, truth, "#b5b5b5", 5.0);
}
