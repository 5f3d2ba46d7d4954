//! The exact bounds that follow from all constraints together: shortest paths.
//!
//! The plain form is Floyd–Warshall over all pairs, which costs the cube of the days. Only some of its
//! results are needed: those of linked pairs, and those from and to one day. They come from taking
//! the nodes out one by one ([`Order`]) and putting them back (partial path consistency: Planken, de
//! Weerdt, van der Krogt: P³C, ICAPS 2008), which is exact and looks only at neighbours. The tests
//! compare both forms.

use super::graph::Bound;
use super::order::Order;

/// A cycle that is less than this says that the values contradict each other.
const NEGATIVE: f64 = -1e-9;

/// No node in between.
const DIRECT: u32 = u32::MAX;

/// The bounds between a place and one that comes later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// The later place.
    pub(super) to: usize,
    /// The most of `y_this - y_to`.
    pub(super) up: f64,
    /// The most of `y_to - y_this`.
    pub(super) down: f64,
    /// Through which place `up` comes.
    up_via: u32,
    /// Through which place `down` comes.
    down_via: u32,
}

/// The bounds of one segment, closed, by place in the order.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) order: Order,
    /// For each place the edges to its later neighbours, ascending.
    pub(super) edges: Vec<Vec<Edge>>,
}

impl Closure {
    /// Closes the bounds of a segment of so many nodes, or gives the bounds that contradict each other.
    pub(super) fn new(nodes: usize, bounds: &[Bound]) -> Result<Self, Vec<Bound>> {
        let order = Order::new(nodes, bounds.iter().map(|bound| (bound.above, bound.below)));
        let blank = |to: &usize| Edge {
            to: *to,
            up: f64::INFINITY,
            down: f64::INFINITY,
            up_via: DIRECT,
            down_via: DIRECT,
        };
        let edges = order
            .later
            .iter()
            .map(|later| later.iter().map(blank).collect())
            .collect();
        let mut closure = Self { order, edges };
        for bound in bounds {
            let (above, below) = (
                closure.order.places[bound.above],
                closure.order.places[bound.below],
            );
            if let Some(edge) = closure.edge_mut(above.min(below), above.max(below)) {
                let side = if above < below {
                    &mut edge.up
                } else {
                    &mut edge.down
                };
                *side = side.min(bound.most);
            }
        }
        closure.take_out(bounds)?;
        closure.put_back();
        Ok(closure)
    }

    /// Passes what each place says on to its later neighbours.
    fn take_out(&mut self, bounds: &[Bound]) -> Result<(), Vec<Bound>> {
        for place in 0..self.edges.len() {
            let own = std::mem::take(&mut self.edges[place]);
            let contradiction = own
                .iter()
                .find(|edge| edge.up + edge.down < NEGATIVE)
                .map(|edge| edge.to);
            for (n, a) in own.iter().enumerate() {
                let mut theirs = self.edges[a.to].iter_mut();
                for b in &own[n + 1..] {
                    let Some(edge) = theirs.find(|edge| edge.to == b.to) else {
                        break;
                    };
                    if a.down + b.up < edge.up {
                        (edge.up, edge.up_via) = (a.down + b.up, place as u32);
                    }
                    if b.down + a.up < edge.down {
                        (edge.down, edge.down_via) = (b.down + a.up, place as u32);
                    }
                }
            }
            self.edges[place] = own;
            if let Some(to) = contradiction {
                return Err(self.contradiction(place, to, bounds));
            }
        }
        Ok(())
    }

    /// Tightens the edges of each place by those among its later neighbours, which are final by then.
    fn put_back(&mut self) {
        for place in (0..self.edges.len()).rev() {
            let mut own = std::mem::take(&mut self.edges[place]);
            for n in 0..own.len() {
                let mut theirs = self.edges[own[n].to].iter();
                for m in n + 1..own.len() {
                    let (a, b) = (own[n], own[m]);
                    let Some(between) = theirs.find(|edge| edge.to == b.to) else {
                        break;
                    };
                    own[n].up = a.up.min(b.up + between.down);
                    own[n].down = a.down.min(between.up + b.down);
                    own[m].up = b.up.min(own[n].up + between.up);
                    own[m].down = b.down.min(between.down + own[n].down);
                }
            }
            self.edges[place] = own;
        }
    }

    /// By node: the most of `y_node - y_base`, and the most of `y_base - y_node`.
    pub(super) fn around(&self, base: usize) -> (Vec<f64>, Vec<f64>) {
        let places = self.edges.len();
        let (mut above, mut below) = (vec![f64::INFINITY; places], vec![f64::INFINITY; places]);
        let start = self.order.places[base];
        (above[start], below[start]) = (0.0, 0.0);
        for place in start..places {
            for edge in &self.edges[place] {
                above[edge.to] = above[edge.to].min(above[place] + edge.down);
                below[edge.to] = below[edge.to].min(below[place] + edge.up);
            }
        }
        for place in (0..places).rev() {
            for edge in &self.edges[place] {
                above[place] = above[place].min(above[edge.to] + edge.up);
                below[place] = below[place].min(below[edge.to] + edge.down);
            }
        }
        let by_node = |of: &[f64]| self.order.places.iter().map(|place| of[*place]).collect();
        (by_node(&above), by_node(&below))
    }

    fn edge_mut(&mut self, from: usize, to: usize) -> Option<&mut Edge> {
        let edges = &mut self.edges[from];
        let at = edges.binary_search_by_key(&to, |edge| edge.to).ok()?;
        edges.get_mut(at)
    }

    /// The bounds of a negative cycle through two places.
    fn contradiction(&self, a: usize, b: usize, bounds: &[Bound]) -> Vec<Bound> {
        // Places that the closed walk goes through, and back to the first.
        let mut walk = vec![a];
        self.expand(a, b, &mut walk);
        self.expand(b, a, &mut walk);
        let nodes: Vec<usize> = walk.iter().map(|place| self.order.nodes[*place]).collect();
        let steps = nodes.windows(2).filter_map(|pair| {
            let key = (*pair.first()?, *pair.last()?);
            let at = bounds
                .binary_search_by_key(&key, |bound| (bound.above, bound.below))
                .ok()?;
            bounds.get(at).copied()
        });
        negative_cycle(steps)
    }

    /// Appends the places after `above` of the path that bounds `y_above - y_below`.
    fn expand(&self, above: usize, below: usize, walk: &mut Vec<usize>) {
        let mut stack = vec![(above, below)];
        while let Some((above, below)) = stack.pop() {
            let edges = &self.edges[above.min(below)];
            let edge = edges.iter().find(|edge| edge.to == above.max(below));
            let via = edge.map_or(
                DIRECT,
                |edge| if above < below { edge.up_via } else { edge.down_via },
            );
            if via == DIRECT {
                walk.push(below);
            } else {
                stack.push((via as usize, below));
                stack.push((above, via as usize));
            }
        }
    }
}

/// The simple cycle of a closed walk that contradicts the most.
fn negative_cycle(steps: impl Iterator<Item = Bound>) -> Vec<Bound> {
    let mut path: Vec<Bound> = Vec::new();
    let mut worst: (f64, Vec<Bound>) = (f64::INFINITY, Vec::new());
    for step in steps {
        path.push(step);
        if let Some(start) = path.iter().position(|earlier| earlier.above == step.below) {
            let cycle = path.split_off(start);
            let sum = cycle.iter().map(|bound| bound.most).sum();
            if sum < worst.0 {
                worst = (sum, cycle);
            }
        }
    }
    worst.1
}
