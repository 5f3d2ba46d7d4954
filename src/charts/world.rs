//! A map of the world on which countries are coloured by their score.

use std::sync::LazyLock;

use maud::{Markup, PreEscaped, html};

use crate::history::Score;

/// The code of a country and its path, a line each; `scripts/make-world-map` makes them.
static COUNTRIES: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let lines = include_str!("world.txt").lines();
    lines.filter_map(|line| line.split_once(' ')).collect()
});

/// The scores from which on a country has the next stronger colour; 100 is average.
pub const LEVELS: [f64; 4] = [100.0, 200.0, 500.0, 1_000.0];

/// From 1 to 5.
pub fn level(score: f64) -> usize {
    1 + LEVELS.iter().filter(|least| score >= **least).count()
}

/// The outlines, which stand once on a page and are used by each map.
pub fn world_shapes() -> Markup {
    html! {
        svg.shapes aria-hidden="true" {
            defs {
                g #world {
                    @for (code, path) in COUNTRIES.iter() {
                        path id=(format!("land-{code}")) d=(PreEscaped(path)) {}
                    }
                }
            }
        }
    }
}

/// A map; countries that are not drawn are left out. The page holds [`world_shapes`].
pub fn world_map(countries: &[Score], words: &str) -> Markup {
    let known = countries.iter().filter_map(|country| {
        let (code, _) = COUNTRIES.iter().find(|(code, _)| *code == country.id)?;
        Some((code, country.name.as_str(), country.score?))
    });
    html! {
        svg.world role="img" aria-label=(words) viewBox="0 0 1000 445" {
            use.land href="#world" {}
            @for (code, name, score) in known {
                use class=(format!("heat{}", level(score))) href=(format!("#land-{code}")) {
                    title { (name) ": " (format!("{score:.0}")) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(id: &str, score: f64) -> Score {
        Score {
            id: id.to_owned(),
            name: format!("<{id}>"),
            score: Some(score),
        }
    }

    #[test]
    fn countries_are_coloured_by_their_score_and_unknown_ones_left_out() {
        let map = world_map(
            &[country("LV", 1_426.0), country("US", 99.0), country("\"", 5.0)],
            "a \"map\"",
        );
        insta::assert_snapshot!(
            map.into_string(),
            @r##"<svg class="world" role="img" aria-label="a &quot;map&quot;" viewBox="0 0 1000 445"><use class="land" href="#world"></use><use class="heat5" href="#land-LV"><title>&lt;LV&gt;: 1426</title></use><use class="heat1" href="#land-US"><title>&lt;US&gt;: 99</title></use></svg>"##
        );
    }

    #[test]
    fn every_market_of_the_service_is_on_the_map() {
        for code in ["US", "GB", "LV", "SG", "MT", "BH", "HK", "MO", "TW", "FR", "NO"] {
            assert!(COUNTRIES.iter().any(|(known, _)| *known == code), "{code}");
        }
        assert!(
            COUNTRIES
                .iter()
                .all(|(_, path)| path.starts_with('M') && !path.contains(['<', '"']))
        );
    }
}
