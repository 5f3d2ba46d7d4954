//! What the windows say of each other as bounds on differences of logarithms: nodes are days and the
//! maxima of windows, `y_i - y_j <= bound`.

use std::collections::BTreeMap;

use super::filter::Dropped;
use super::window::Series;

/// `y_above - y_below <= most`, said by a day of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) above: usize,
    pub(super) below: usize,
    pub(super) most: f64,
    /// Which window said it.
    pub(super) window: usize,
    /// Of which day.
    pub(super) day: i64,
    /// Whether it comes of a value with a lower bound too: only such values link.
    pub(super) links: bool,
}

/// The nodes of a series with their bounds.
#[derive(Debug)]
pub(super) struct Graph {
    /// The days that have nodes, ascending: day `n` is node `n`; maxima that are no day follow.
    pub(super) days: Vec<i64>,
    /// How many nodes there are.
    pub(super) nodes: usize,
    /// The node of each window's maximum, if it has one.
    pub(super) maximum: Vec<Option<usize>>,
    /// The tightest for each ordered pair, sorted by it.
    pub(super) bounds: Vec<Bound>,
    /// Nodes that are linked with each other, ascending; those without a day are left out.
    pub(super) segments: Vec<Vec<usize>>,
}

/// What of a series is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belief<'a> {
    pub(super) series: &'a Series,
    pub(super) dropped: &'a Dropped,
    /// A day is settled at this age.
    pub(super) lag: i64,
    /// By how many rounding units a value may be off.
    pub(super) half: f64,
}

/// A settled value that is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) window: usize,
    pub(super) day: i64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) is_peak: bool,
}

impl Settled {
    pub(super) fn links(&self) -> bool {
        self.low > f64::NEG_INFINITY
    }
}

impl Belief<'_> {
    /// All settled values that are believed, by window and day.
    pub(super) fn settled(&self) -> impl Iterator<Item = Settled> + '_ {
        let windows = self.series.windows.iter().enumerate();
        windows.flat_map(move |(window, shown)| {
            let places = shown.seen.iter().enumerate();
            let settled =
                places.filter(move |(place, seen)| seen.age >= self.lag && !self.dropped.has(window, *place));
            settled.map(move |(_, seen)| {
                let (low, high) = shown.bounds(seen.count, self.half);
                Settled {
                    window,
                    day: seen.day,
                    low,
                    high,
                    is_peak: seen.count == shown.unit,
                }
            })
        })
    }
}

impl Graph {
    pub(super) fn new(belief: Belief<'_>) -> Self {
        let mut days: Vec<i64> = belief.settled().filter(Settled::links).map(|s| s.day).collect();
        days.sort_unstable();
        days.dedup();
        let (maximum, nodes) = maxima(belief, &days);
        let bounds = bounds(belief, &days, &maximum);
        let segments = segments(&bounds, nodes, days.len());
        Self {
            days,
            nodes,
            maximum,
            bounds,
            segments,
        }
    }

    /// The node of a day.
    pub(super) fn day(&self, day: i64) -> Option<usize> {
        self.days.binary_search(&day).ok()
    }
}

/// The node of each window's maximum: the day that has it, where only one can; else one of its own.
fn maxima(belief: Belief<'_>, days: &[i64]) -> (Vec<Option<usize>>, usize) {
    let windows = &belief.series.windows;
    let peaks = |window: usize| {
        let shown = &windows[window];
        shown.seen.iter().filter(|seen| seen.count == shown.unit).count()
    };
    // Whether something links to it, and the day that is it.
    let mut found: Vec<(bool, Option<i64>)> = vec![(false, None); windows.len()];
    for settled in belief.settled() {
        let (linked, peak) = &mut found[settled.window];
        *linked |= settled.links();
        if settled.is_peak && settled.links() && peaks(settled.window) == 1 {
            *peak = Some(settled.day);
        }
    }
    let mut nodes = days.len();
    let mut node = |(linked, peak): &(bool, Option<i64>)| {
        if let Some(day) = peak {
            return days.binary_search(day).ok();
        }
        linked.then(|| {
            nodes += 1;
            nodes - 1
        })
    };
    let maximum = found.iter().map(&mut node).collect();
    (maximum, nodes)
}

fn bounds(belief: Belief<'_>, days: &[i64], maximum: &[Option<usize>]) -> Vec<Bound> {
    let mut bounds = Vec::new();
    for settled in belief.settled() {
        let (Some(node), Ok(day)) = (maximum[settled.window], days.binary_search(&settled.day)) else {
            continue;
        };
        if day == node {
            continue;
        }
        let bound = |above, below, most| Bound {
            above,
            below,
            most,
            window: settled.window,
            day: settled.day,
            links: settled.links(),
        };
        bounds.push(bound(day, node, settled.high));
        if settled.links() {
            bounds.push(bound(node, day, -settled.low));
        }
    }
    tightest(bounds)
}

/// The smallest bound of each ordered pair, of the newer window where two are equal. Whether a pair is
/// linked is asked of all its bounds.
fn tightest(mut bounds: Vec<Bound>) -> Vec<Bound> {
    bounds.sort_by(|a, b| {
        (a.above, a.below)
            .cmp(&(b.above, b.below))
            .then(a.most.total_cmp(&b.most))
            .then((b.window, b.day).cmp(&(a.window, a.day)))
    });
    bounds.dedup_by(|later, kept| {
        let same = (later.above, later.below) == (kept.above, kept.below);
        kept.links |= same && later.links;
        same
    });
    bounds
}

/// Linked nodes, the segment with the earliest day first.
fn segments(bounds: &[Bound], nodes: usize, days: usize) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..nodes).collect();
    for bound in bounds.iter().filter(|bound| bound.links) {
        let (a, b) = (root(&mut parent, bound.above), root(&mut parent, bound.below));
        // The smaller one stays, so that the root of a segment is its first day.
        let (small, large) = (a.min(b), a.max(b));
        parent[large] = small;
    }
    let mut segments: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for node in 0..nodes {
        segments.entry(root(&mut parent, node)).or_default().push(node);
    }
    segments
        .into_iter()
        .filter(|(first, _)| *first < days)
        .map(|(_, nodes)| nodes)
        .collect()
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}
