//! From logarithms to an index: 100 is the best day of a segment. Then the days that are nobody's
//! node: seen only as 0, or not settled yet.

use std::collections::BTreeMap;

use super::IndexDay;
use super::closure::Closure;
use super::graph::{Belief, Bound, Graph};
use super::solve::solve;

/// Logarithms that differ by less are equal.
const EQUAL: f64 = 1e-12;

/// Where a node stands on its segment's scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    segment: i64,
    value: f64,
    low: f64,
    high: f64,
}

/// The scale of each node; none for those without a segment.
#[derive(Debug)]
pub(super) struct Scale(Vec<Option<Point>>);

impl Scale {
    /// The scales of all segments, or for each that contradicts itself the value to leave out: its
    /// window and day.
    pub(super) fn of(graph: &Graph) -> Result<Self, Vec<(usize, i64)>> {
        let (segment_of, local) = places(graph);
        let mut bounds: Vec<Vec<Bound>> = vec![Vec::new(); graph.segments.len()];
        for bound in &graph.bounds {
            // A 0 says nothing of another segment.
            if let Some(segment) = segment_of[bound.above].filter(|s| Some(*s) == segment_of[bound.below]) {
                let (above, below) = (local[bound.above], local[bound.below]);
                bounds[segment].push(Bound {
                    above,
                    below,
                    ..*bound
                });
            }
        }
        let mut scale = Self(vec![None; graph.nodes]);
        let mut contradictions = Vec::new();
        for ((number, nodes), bounds) in (1..).zip(&graph.segments).zip(&bounds) {
            match Closure::new(nodes.len(), bounds) {
                Ok(closure) => scale.enter(graph, number, nodes, bounds, &closure),
                Err(cycle) => {
                    let oldest = cycle.iter().map(|b| (b.window, -b.day)).min();
                    contradictions.extend(oldest.map(|(window, day)| (window, -day)));
                }
            }
        }
        if contradictions.is_empty() {
            Ok(scale)
        } else {
            Err(contradictions)
        }
    }

    fn enter(&mut self, graph: &Graph, segment: i64, nodes: &[usize], bounds: &[Bound], closure: &Closure) {
        let linked = |a: usize, b: usize| {
            let (a, b) = (closure.order.nodes[a], closure.order.nodes[b]);
            [(a, b), (b, a)].into_iter().any(|pair| {
                let at = bounds.binary_search_by_key(&pair, |bound| (bound.above, bound.below));
                at.is_ok_and(|at| bounds[at].links)
            })
        };
        let solution = solve(closure, linked);
        // Days come first, ascending, so the first of several best ones is the earliest.
        let days = nodes.iter().take_while(|node| **node < graph.days.len()).count();
        let base = (1..days).fold(0, |best, day| {
            if solution[day] > solution[best] + EQUAL {
                day
            } else {
                best
            }
        });
        let (above, below) = closure.around(base);
        for (n, node) in nodes.iter().enumerate() {
            let (low, high) = (-below[n], above[n]);
            let y = (solution[n] - solution[base]).max(low).min(high);
            self.0[*node] = Some(Point {
                segment,
                value: 100.0 * y.exp(),
                low: 100.0 * low.exp(),
                high: 100.0 * high.exp(),
            });
        }
    }

    fn of_window(&self, graph: &Graph, window: usize) -> Option<Point> {
        self.0[graph.maximum[window]?]
    }
}

/// By node: its segment, and its number within it.
fn places(graph: &Graph) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut segment_of = vec![None; graph.nodes];
    let mut local = vec![0; graph.nodes];
    for (segment, nodes) in graph.segments.iter().enumerate() {
        for (n, node) in nodes.iter().enumerate() {
            (segment_of[*node], local[*node]) = (Some(segment), n);
        }
    }
    (segment_of, local)
}

/// All days that have an index.
pub(super) fn days(belief: Belief<'_>, graph: &Graph, scale: &Scale) -> Vec<IndexDay> {
    let mut days: BTreeMap<i64, IndexDay> = BTreeMap::new();
    for (node, day) in graph.days.iter().enumerate() {
        if let Some(point) = scale.0[node] {
            days.insert(*day, in_index(*day, point, false));
        }
    }
    days.extend(nothing(belief, graph, scale));
    for day in unsettled(belief, graph, scale) {
        days.entry(day.day).or_insert(day);
    }
    days.into_values().collect()
}

fn in_index(day: i64, point: Point, provisional: bool) -> IndexDay {
    IndexDay {
        day,
        value: point.value,
        low: point.low,
        high: point.high,
        segment: point.segment,
        provisional,
    }
}

/// Settled days that were only ever seen as 0: nothing, and at most what the newest segment allows
/// that has seen them.
fn nothing(belief: Belief<'_>, graph: &Graph, scale: &Scale) -> BTreeMap<i64, IndexDay> {
    let mut found: BTreeMap<i64, IndexDay> = BTreeMap::new();
    for seen in belief.settled().filter(|seen| graph.day(seen.day).is_none()) {
        let Some(point) = scale.of_window(graph, seen.window) else {
            continue;
        };
        let high = point.high * seen.high.exp();
        let known = found
            .get(&seen.day)
            .filter(|known| known.segment == point.segment);
        let nothing = Point {
            segment: point.segment,
            value: 0.0,
            low: 0.0,
            high: known.map_or(high, |known| known.high.min(high)),
        };
        // Windows come oldest first, so that the newest one's segment stays.
        found.insert(seen.day, in_index(seen.day, nothing, false));
    }
    found
}

/// What the newest windows say of days that have no settled value.
fn unsettled(belief: Belief<'_>, graph: &Graph, scale: &Scale) -> Vec<IndexDay> {
    let mut found: BTreeMap<i64, IndexDay> = BTreeMap::new();
    let settled: std::collections::BTreeSet<i64> = belief.settled().map(|seen| seen.day).collect();
    for (window, shown) in belief.series.windows.iter().enumerate() {
        let Some(point) = scale.of_window(graph, window) else {
            continue;
        };
        for seen in shown.seen.iter().filter(|seen| !settled.contains(&seen.day)) {
            let (low, high) = shown.bounds(seen.count, belief.half);
            let (low, high) = (low.exp(), high.exp());
            let day = Point {
                segment: point.segment,
                value: point.value * (low + high) / 2.0,
                low: point.low * low,
                high: point.high * high,
            };
            found.insert(seen.day, in_index(seen.day, day, true));
        }
    }
    found.into_values().collect()
}
