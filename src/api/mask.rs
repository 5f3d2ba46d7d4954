//! Hides the key in an answer that repeats it, before anything is made of the answer.

/// Replaces the key by asterisks, which keeps JSON what it is. JSON may write a character in several
/// ways: as it is, as `\u002f`, and a slash as `\/`.
pub(super) fn mask(body: &mut [u8], key: &[u8]) {
    let Some(first) = key.first() else { return };
    let mut at = 0;
    while let Some(rest) = body.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let Some(next) = memchr::memchr2(*first, b'\\', rest) else {
            return;
        };
        let length = rest.get(next..).and_then(|text| length_of(key, text));
        let hidden = length.unwrap_or_default();
        // The character after a backslash is part of its escape.
        let passed = if rest.get(next) == Some(&b'\\') { 2 } else { 1 };
        rest.iter_mut().skip(next).take(hidden).for_each(|b| *b = b'*');
        at += next + hidden.max(passed);
    }
}

/// The bytes that the key takes at the beginning of a text, if it stands there.
fn length_of(key: &[u8], text: &[u8]) -> Option<usize> {
    let mut length = 0;
    for byte in key {
        length += length_of_byte(*byte, text.get(length..)?)?;
    }
    Some(length)
}

fn length_of_byte(byte: u8, text: &[u8]) -> Option<usize> {
    match text {
        [first, ..] if *first == byte => Some(1),
        [b'\\', escaped @ (b'/' | b'"' | b'\\'), ..] if *escaped == byte => Some(2),
        [b'\\', b'u', digits @ ..] => {
            let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
            (u32::from_str_radix(digits, 16) == Ok(u32::from(byte))).then_some(6)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a sk/1 b", "a **** b")]
    #[case("sk/1sk/1", "********")]
    #[case("ssk/1", "s****")]
    #[case(r#"{"m":"sk\/1"}"#, r#"{"m":"*****"}"#)]
    #[case(r"\u0073k\u002F1.", "**************.")]
    #[case(r"\\u0073k/1", r"\\u0073k/1")]
    #[case(r"\\sk/1", r"\\****")]
    #[case(r"\nsk/1", r"\n****")]
    #[case("sk/", "sk/")]
    #[case(r"\u00", r"\u00")]
    #[case("", "")]
    fn a_key_is_found_however_json_writes_it(#[case] body: &str, #[case] masked: &str) {
        let mut bytes = body.as_bytes().to_vec();
        mask(&mut bytes, b"sk/1");
        assert_eq!(String::from_utf8(bytes).unwrap(), masked);
    }
}
