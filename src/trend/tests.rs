use std::collections::BTreeMap;

use proptest::prelude::*;

use super::closure::Closure;
use super::graph::Bound;
use super::solve::solve;
use super::*;

/// Windows of `truth` (from day 0) as the service shows them: of so many days, fetched on a day and
/// ending on the one before.
fn shown(truth: &[f64], asked: &[(i64, i64)]) -> Vec<Window> {
    let window = |(fetched, length): &(i64, i64)| {
        let days = (fetched - length).max(0)..*fetched;
        let of = |day: i64| truth[usize::try_from(day).unwrap()];
        let peak = days.clone().map(of).fold(0.0, f64::max);
        Window {
            fetched_at: *fetched,
            period_days: *length,
            points: days
                .map(|day| {
                    (
                        day,
                        if peak > 0.0 {
                            (100.0 * of(day) / peak).round() / 100.0
                        } else {
                            0.0
                        },
                    )
                })
                .collect(),
        }
    };
    asked.iter().map(window).collect()
}

fn by_day(index: &Index) -> BTreeMap<i64, IndexDay> {
    index.days.iter().map(|day| (day.day, *day)).collect()
}

/// All bounds by the plain form: Floyd–Warshall over all pairs.
fn plain_closure(nodes: usize, bounds: &[Bound]) -> Vec<Vec<f64>> {
    let mut most = vec![vec![f64::INFINITY; nodes]; nodes];
    (0..nodes).for_each(|n| most[n][n] = 0.0);
    for bound in bounds {
        most[bound.above][bound.below] = most[bound.above][bound.below].min(bound.most);
    }
    for k in 0..nodes {
        for i in 0..nodes {
            for j in 0..nodes {
                most[i][j] = most[i][j].min(most[i][k] + most[k][j]);
            }
        }
    }
    most
}

/// The least-squares point by the plain form: Gaussian elimination of the whole system, node 0 fixed.
fn plain_point(most: &[Vec<f64>], linked: &[(usize, usize)]) -> Vec<f64> {
    let nodes = most.len();
    let mut rows = vec![vec![0.0; nodes + 1]; nodes];
    for (i, j) in linked.iter().copied() {
        let (low, high) = (-most[j][i], most[i][j]);
        let weight = (high - low).max(1e-4).powi(-2);
        for (node, other, sign) in [(i, j, 1.0), (j, i, -1.0)] {
            rows[node][node] += weight;
            rows[node][other] -= weight;
            rows[node][nodes] += sign * weight * (low + high) / 2.0;
        }
    }
    for k in 1..nodes {
        let pivot = rows[k].clone();
        for (i, row) in rows.iter_mut().enumerate().skip(1).filter(|(i, _)| *i != k) {
            let share = row[k] / pivot[k];
            assert!(i > 0 && share.is_finite());
            for column in 0..=nodes {
                row[column] -= share * pivot[column];
            }
        }
    }
    (0..nodes)
        .map(|n| if n == 0 { 0.0 } else { rows[n][nodes] / rows[n][n] })
        .collect()
}

fn belief_graph(windows: &[Window]) -> Graph {
    let series = Series::new(windows);
    let (dropped, _) = restated(&series, 0);
    Graph::new(Belief {
        series: &series,
        dropped: &dropped,
        lag: 0,
        half: HALF,
    })
}

/// The bounds of the first segment, with the nodes that it has.
fn first_segment(graph: &Graph) -> (usize, Vec<Bound>) {
    let nodes = &graph.segments[0];
    let local = |node: usize| nodes.binary_search(&node).ok();
    let bounds = graph.bounds.iter().filter_map(|bound| {
        let (above, below) = (local(bound.above)?, local(bound.below)?);
        Some(Bound {
            above,
            below,
            ..*bound
        })
    });
    (nodes.len(), bounds.collect())
}

/// A popularity that rises and falls by up to a hundredfold, with days of nothing.
fn truths() -> impl Strategy<Value = Vec<f64>> {
    let day = prop_oneof![8 => (0.0..4.6_f64).prop_map(f64::exp), 1 => Just(0.0)];
    prop::collection::vec(day, 60)
}

/// Fetch days and lengths of windows.
fn asks() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((7..=60_i64, prop_oneof![Just(7_i64), Just(30), Just(5)]), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_fast_form_gives_what_the_plain_one_does(truth in truths(), asked in asks()) {
        let graph = belief_graph(&shown(&truth, &asked));
        prop_assume!(!graph.segments.is_empty());
        let (nodes, bounds) = first_segment(&graph);
        let closure = Closure::new(nodes, &bounds).unwrap();
        let plain = plain_closure(nodes, &bounds);
        let close = |a: f64, b: f64| a == b || (a - b).abs() < 1e-9;
        for (place, edges) in closure.edges.iter().enumerate() {
            for edge in edges {
                let (a, b) = (closure.order.nodes[place], closure.order.nodes[edge.to]);
                prop_assert!(close(edge.up, plain[a][b]) && close(edge.down, plain[b][a]));
            }
        }
        for base in [0, nodes / 2, nodes - 1] {
            let (above, below) = closure.around(base);
            for n in 0..nodes {
                prop_assert!(close(above[n], plain[n][base]) && close(below[n], plain[base][n]));
            }
        }
        let links = |above, below| bounds.iter().any(|b| b.links && (b.above, b.below) == (above, below));
        let linked: Vec<(usize, usize)> = bounds
            .iter()
            .filter(|b| b.above < b.below && (links(b.above, b.below) || links(b.below, b.above)))
            .map(|b| (b.above, b.below))
            .collect();
        let point = solve(&closure, |a, b| {
            let (a, b) = (closure.order.nodes[a], closure.order.nodes[b]);
            linked.contains(&(a.min(b), a.max(b)))
        });
        let plain = plain_point(&plain, &linked);
        for n in 0..nodes {
            let found = point[n] - point[0];
            prop_assert!((found - plain[n]).abs() < 1e-6, "{n}: {found} {}", plain[n]);
        }
    }

    #[test]
    fn the_truth_is_within_the_bounds_and_no_order_of_arrival_matters(
        truth in truths(), asked in asks(), turn in 0..40_usize,
    ) {
        let mut windows = shown(&truth, &asked);
        let found = index(&Series::new(&windows), 0);
        prop_assert_eq!(found.doubts.contradictions, 0);
        for segment in 1.. {
            let days: Vec<&IndexDay> = found.days.iter().filter(|day| day.segment == segment).collect();
            let Some(base) = days.iter().find(|day| (day.low, day.high) == (100.0, 100.0)) else { break };
            let of = |day: &IndexDay| truth[usize::try_from(day.day).unwrap()];
            for day in &days {
                let share = 100.0 * of(day) / of(base);
                prop_assert!(day.low <= share + 1e-7 && share <= day.high + 1e-7, "{day:?} {share}");
                prop_assert!(day.low <= day.value && day.value <= day.high);
            }
        }
        let turn = turn % windows.len();
        windows.rotate_left(turn);
        windows.reverse();
        prop_assert_eq!(index(&Series::new(&windows), 0), found);
    }
}

#[test]
fn windows_without_a_shared_day_are_segments_of_their_own() {
    let truth: Vec<f64> = (0..40).map(|day| 10.0 + f64::from(day % 5)).collect();
    let found = index(
        &Series::new(&shown(&truth, &[(7, 7), (10, 7), (30, 7), (33, 7)])),
        0,
    );
    let segments: BTreeMap<i64, Vec<i64>> = found.days.iter().fold(BTreeMap::new(), |mut all, day| {
        all.entry(day.segment).or_insert_with(Vec::new).push(day.day);
        all
    });
    assert_eq!(segments[&1], (0..10).collect::<Vec<_>>());
    assert_eq!(segments[&2], (23..33).collect::<Vec<_>>());
}

#[test]
fn a_day_that_is_nothing_in_both_windows_links_nothing() {
    let windows = [
        Window {
            fetched_at: 1,
            period_days: 7,
            points: vec![(0, 1.0), (1, 0.5), (2, 0.0)],
        },
        Window {
            fetched_at: 2,
            period_days: 7,
            points: vec![(2, 0.0), (3, 0.5), (4, 1.0)],
        },
    ];
    let days = by_day(&index(&Series::new(&windows), 0));
    assert_eq!((days[&1].segment, days[&3].segment), (1, 2));
    let nothing = days[&2];
    assert_eq!(
        (nothing.segment, nothing.value, nothing.low),
        (2, 0.0, 0.0),
        "of the newer one"
    );
    assert!((nothing.high - 0.5).abs() < 1e-9);
}

#[test]
fn a_jump_of_a_hundred_is_seen_in_the_window_that_has_both_sides() {
    let truth: Vec<f64> = (0..20).map(|day| if day < 10 { 1.0 } else { 100.0 }).collect();
    let days = by_day(&index(
        &Series::new(&shown(&truth, &[(10, 7), (12, 7), (16, 7), (19, 7)])),
        0,
    ));
    assert!(
        days[&5].low <= 1.0 && 1.0 <= days[&5].high && days[&5].high < 1.6,
        "{:?}",
        days[&5]
    );
    assert_eq!(days[&5].segment, days[&18].segment);
}

#[test]
fn days_that_are_not_settled_are_provisional_and_link_nothing() {
    let truth: Vec<f64> = (0..12).map(|day| 10.0 + f64::from(day)).collect();
    let days = by_day(&index(&Series::new(&shown(&truth, &[(7, 7), (9, 7)])), 2));
    let provisional: Vec<i64> = days
        .values()
        .filter(|day| day.provisional)
        .map(|day| day.day)
        .collect();
    assert_eq!(provisional, [7, 8]);
    let apart = by_day(&index(&Series::new(&shown(&truth, &[(4, 4), (6, 4)])), 2));
    assert_ne!(
        apart[&0].segment, apart[&3].segment,
        "day 2 and 3 are shared, and settled in one only"
    );
}

#[test]
fn a_value_that_can_not_be_is_left_out_and_told() {
    let truth: Vec<f64> = (0..20).map(|day| 50.0 + f64::from((day * 7) % 13)).collect();
    let mut windows = shown(&truth, &[(7, 7), (10, 7), (13, 7), (16, 7)]);
    // One of three shared days: no majority that the filter could go by, but a contradiction.
    windows[1].points[6].1 = 0.3;
    let found = index(&Series::new(&windows), 0);
    assert!(found.doubts.restated + found.doubts.contradictions > 0);
    assert_eq!(found.days.len(), 16);
    assert_eq!(found.doubts.half_unit, HALF);
}

#[test]
fn windows_that_never_fit_are_taken_for_less_exact_until_they_do() {
    let windows: Vec<Window> = (0..60)
        .map(|n| Window {
            fetched_at: n,
            period_days: 7,
            points: vec![
                (0, 1.0),
                (1, if n % 2 == 0 { 0.50 } else { 0.55 }),
                (2, if n % 2 == 0 { 0.6 } else { 0.5 }),
            ],
        })
        .collect();
    let found = index(&Series::new(&windows), 0);
    assert_eq!(found.doubts.contradictions, 40);
    assert!(found.doubts.half_unit > HALF);
    assert_eq!(found.days.len(), 3);
}
