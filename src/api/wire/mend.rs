//! Texts that no database takes: NUL, and halves of surrogate pairs, which the parser refuses too.

use std::borrow::Cow;

const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// The same JSON, with the escapes of NUL and of lone surrogates replaced by U+FFFD.
pub(super) fn mend(body: &[u8]) -> Cow<'_, [u8]> {
    if !is_suspicious(body) {
        return Cow::Borrowed(body);
    }
    let mut mended = body.to_vec();
    let mut at = 0;
    while let Some(step) = mended.iter().skip(at).position(|b| *b == b'\\') {
        at += step;
        at += match unit_at(&mended, at) {
            None => 2, // an escape of two characters; the second may be a backslash
            Some(0xD800..=0xDBFF) if matches!(unit_at(&mended, at + 6), Some(0xDC00..=0xDFFF)) => 12,
            Some(0 | 0xD800..=0xDFFF) => {
                if let Some(escape) = mended.get_mut(at..at + 6) {
                    escape.copy_from_slice(REPLACEMENT);
                }
                6
            }
            Some(_) => 6,
        };
    }
    Cow::Owned(mended)
}

/// Whether an escape occurs that could need mending: nearly no answer has one.
fn is_suspicious(body: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', body).any(|at| {
        let escape = body.get(at + 1..).unwrap_or_default();
        matches!(
            escape,
            [b'u', b'd' | b'D', ..] | [b'u', b'0', b'0', b'0', b'0', ..]
        )
    })
}

/// The UTF-16 unit of the escape `\uXXXX` that begins at `at`.
fn unit_at(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#""a\ud800b""#, "a\u{fffd}b")]
    #[case(r#""\uDBFF""#, "\u{fffd}")]
    #[case(r#""\udc00\ud83d""#, "\u{fffd}\u{fffd}")]
    #[case(r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀")]
    #[case(r#""\ud83d\u0041""#, "\u{fffd}A")]
    #[case(r#""\uD83D\uDE00""#, "😀")]
    #[case(r#""a\u0000b\u0001""#, "a\u{fffd}b\u{1}")]
    #[case(r#""\\ud800 \\\ud800 \\u0000""#, "\\ud800 \\\u{fffd} \\u0000")]
    fn what_no_database_takes_is_replaced_and_nothing_else(#[case] json: &str, #[case] text: &str) {
        let parsed: String = serde_json::from_slice(&mend(json.as_bytes())).unwrap();
        assert_eq!(parsed, text);
    }

    #[rstest]
    #[case(br#""\ud8"#)]
    #[case(br#""\ud800"#)]
    #[case(b"\\ud")]
    #[case(b"\\")]
    #[case(b"\"\\ud800\\")]
    fn a_cut_escape_is_left_to_the_parser(#[case] json: &[u8]) {
        assert!(serde_json::from_slice::<String>(&mend(json)).is_err());
    }

    #[test]
    fn an_ordinary_body_is_not_copied() {
        assert!(matches!(mend(br#"{"a":"caf\u00e9 \"x\" \/"}"#), Cow::Borrowed(_)));
    }
}
