//! Chance that is the same each time: numbers from a seed and the names of what they are for.

/// A number that depends on all of `parts` and on nothing else.
pub(super) fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        mix(state.rotate_left(23) ^ part)
    })
}

/// A number for a text.
pub(super) fn name(text: &str) -> u64 {
    text.bytes()
        .fold(text.len() as u64, |state, byte| mix(state ^ u64::from(byte)))
}

/// 0 to 1, without 1.
pub(super) fn chance(parts: &[u64]) -> f64 {
    /// 2^53: as many steps as a float can tell apart.
    const STEPS: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    let steps = (hash(parts) >> 11) as f64;
    steps / STEPS
}

/// From `low` to `high`.
pub(super) fn between(low: f64, high: f64, parts: &[u64]) -> f64 {
    low + (high - low) * chance(parts)
}

/// The finalizer of splitmix64.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)).wrapping_add(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_fill_their_range_evenly() {
        let mut tenths = [0; 10];
        for i in 0..10_000 {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let tenth = (chance(&[7, i]) * 10.0) as usize;
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|n| (850..1150).contains(n)), "{tenths:?}");
    }

    #[test]
    fn order_and_number_of_parts_count() {
        let hashes = [
            hash(&[1, 2]),
            hash(&[2, 1]),
            hash(&[1]),
            hash(&[1, 2, 0]),
            hash(&[]),
        ];
        for (i, one) in hashes.iter().enumerate() {
            assert!(!hashes[i + 1..].contains(one));
        }
        assert_ne!(name("ab"), name("ba"));
    }
}
