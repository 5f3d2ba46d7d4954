//! The point inside the bounds: the logarithms that fit the middles of all linked pairs best, each
//! weighted by how exact it is. Solved by an LDLᵀ factorisation in the order of the closure.

use super::closure::Closure;

/// Bounds that are closer weigh no more than this.
const CLOSEST: f64 = 1e-4;

/// The weighted Laplacian, by place.
struct Laplacian {
    diagonal: Vec<f64>,
    /// Beside the edges of the closure.
    beside: Vec<Vec<f64>>,
    right: Vec<f64>,
}

/// The logarithm of each node, up to one constant. `linked` tells which places have a pair that counts.
pub(super) fn solve(closure: &Closure, linked: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let mut system = laplacian(closure, linked);
    eliminate(closure, &mut system);
    let places = closure.edges.len();
    // The last place stays: it is fixed to 0.
    let mut solution = vec![0.0; places];
    for place in (0..places.saturating_sub(1)).rev() {
        let edges = closure.edges[place].iter().zip(&system.beside[place]);
        let rest: f64 = edges.map(|(edge, beside)| beside * solution[edge.to]).sum();
        if system.diagonal[place] > 0.0 {
            solution[place] = (system.right[place] - rest) / system.diagonal[place];
        }
    }
    closure
        .order
        .places
        .iter()
        .map(|place| solution[*place])
        .collect()
}

fn laplacian(closure: &Closure, linked: impl Fn(usize, usize) -> bool) -> Laplacian {
    let places = closure.edges.len();
    let mut system = Laplacian {
        diagonal: vec![0.0; places],
        beside: closure.edges.iter().map(|edges| vec![0.0; edges.len()]).collect(),
        right: vec![0.0; places],
    };
    for (place, edges) in closure.edges.iter().enumerate() {
        for (n, edge) in edges.iter().enumerate() {
            if !linked(place, edge.to) || !edge.up.is_finite() || !edge.down.is_finite() {
                continue;
            }
            let weight = (edge.up + edge.down).max(CLOSEST).powi(-2);
            let middle = (edge.up - edge.down) / 2.0;
            system.diagonal[place] += weight;
            system.diagonal[edge.to] += weight;
            system.beside[place][n] -= weight;
            system.right[place] += weight * middle;
            system.right[edge.to] -= weight * middle;
        }
    }
    system
}

fn eliminate(closure: &Closure, system: &mut Laplacian) {
    for place in 0..closure.edges.len().saturating_sub(1) {
        let pivot = system.diagonal[place];
        if pivot <= 0.0 {
            continue;
        }
        let edges = &closure.edges[place];
        let own = std::mem::take(&mut system.beside[place]);
        for (n, a) in edges.iter().enumerate() {
            let share = own[n] / pivot;
            if share == 0.0 {
                continue;
            }
            system.diagonal[a.to] -= share * own[n];
            system.right[a.to] -= share * system.right[place];
            let mut theirs = closure.edges[a.to].iter().zip(system.beside[a.to].iter_mut());
            for (m, b) in edges.iter().enumerate().skip(n + 1) {
                let Some((_, beside)) = theirs.find(|(edge, _)| edge.to == b.to) else {
                    break;
                };
                *beside -= share * own[m];
            }
        }
        system.beside[place] = own;
    }
}
