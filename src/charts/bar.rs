//! A bar beside a number in a table.

use maud::{Markup, html};

/// A bar as long as `value` is of `most`. The number stands beside it, so it says nothing to those who
/// don't see it.
pub fn bar(value: f64, most: f64) -> Markup {
    let length = if most > 0.0 && value > 0.0 {
        (100.0 * value / most).clamp(0.5, 100.0)
    } else {
        0.0
    };
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.full width=(format!("{length:.1}")) height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_never_longer_than_all() {
        insta::assert_snapshot!(
            bar(30.0, 90.0).into_string(),
            @r#"<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="full" width="33.3" height="10"></rect></svg>"#
        );
        assert!(bar(0.0, 50.0).into_string().contains(r#"width="0.0""#));
        assert!(bar(100.0, 50.0).into_string().contains(r#"width="100.0""#));
        assert!(bar(0.0, 0.0).into_string().contains(r#"width="0.0""#));
    }
}
