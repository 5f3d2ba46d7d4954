//! In which order the nodes of a segment are taken out, so that little has to be added in their
//! place: always one with the fewest neighbours, which are then joined to each other.
//!
//! Days that are nobody's maximum have few neighbours and go first; what remains are the maxima, and a
//! maximum is only linked to what lies within its windows. So the work grows with the days, not with
//! their cube.

use std::collections::BTreeSet;

/// For each place in the order, what is still there when it is taken out.
#[derive(Debug)]
pub(super) struct Order {
    /// The node at each place.
    pub(super) nodes: Vec<usize>,
    /// The place of each node.
    pub(super) places: Vec<usize>,
    /// The places of its neighbours that come later, ascending.
    pub(super) later: Vec<Vec<usize>>,
}

impl Order {
    /// The order for `nodes` nodes with these pairs.
    pub(super) fn new(nodes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut neighbours = neighbours(nodes, pairs);
        let mut queue: BTreeSet<(usize, usize)> = neighbours
            .iter()
            .enumerate()
            .map(|(node, n)| (n.len(), node))
            .collect();
        let mut order = Self {
            nodes: Vec::with_capacity(nodes),
            places: vec![0; nodes],
            later: Vec::with_capacity(nodes),
        };
        while let Some((_, node)) = queue.pop_first() {
            let left = std::mem::take(&mut neighbours[node]);
            for other in &left {
                queue.remove(&(neighbours[*other].len(), *other));
                neighbours[*other] = joined(&neighbours[*other], &left, node, *other);
                queue.insert((neighbours[*other].len(), *other));
            }
            order.places[node] = order.nodes.len();
            order.nodes.push(node);
            order.later.push(left);
        }
        for later in &mut order.later {
            later.iter_mut().for_each(|node| *node = order.places[*node]);
            later.sort_unstable();
        }
        order
    }
}

fn neighbours(nodes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); nodes];
    for (a, b) in pairs {
        neighbours[a].push(b);
        neighbours[b].push(a);
    }
    for list in &mut neighbours {
        list.sort_unstable();
        list.dedup();
    }
    neighbours
}

/// Both sorted lists in one, without two nodes.
fn joined(a: &[usize], b: &[usize], without: usize, nor: usize) -> Vec<usize> {
    let mut joined = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x == y => {
                a.next();
                b.next()
            }
            (Some(x), Some(y)) if x < y => a.next(),
            (Some(_), None) => a.next(),
            (_, Some(_)) => b.next(),
            (None, None) => return joined,
        };
        joined.extend(next.filter(|node| **node != without && **node != nor));
    }
}
