//! How numbers of things are told.

use std::fmt::Display;

/// A number of things: "1 sound", "2 sounds".
pub fn counted<N: Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let s = if n == N::from(1) { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// The same of about so many things: "1 request", "240 requests".
pub fn about(n: f64, noun: &str) -> String {
    // The sum of nothing would be -0.
    counted(n.round() + 0.0, noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(counted(0, "page"), "0 pages");
        assert_eq!(counted(1_u64, "page"), "1 page");
        assert_eq!(counted(2_i64, "page"), "2 pages");
        assert_eq!(about(1.4, "credit"), "1 credit");
        assert_eq!(about(239.7, "credit"), "240 credits");
        assert_eq!(about(-0.0, "credit"), "0 credits");
    }
}
