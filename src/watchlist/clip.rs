//! A sound as people name it: by its ID, or by the address of its page.

use reqwest::Url;

use crate::model::ClipId;

/// The clip ID in what a person wrote: the digits, or a tiktok.com/music link. The error says
/// what is wrong and what to do about it.
pub fn clip_id(text: &str) -> Result<ClipId, (String, String)> {
    let text = text.trim();
    if text.contains('/') || text.contains("tiktok.com") {
        of_link(text)
    } else {
        text.parse()
            .map_err(|_| (why_not_an_id(text), WRITE_AN_ID.to_owned()))
    }
}

const WRITE_AN_ID: &str = "write the 15 to 20 digits at the end of a link such as \
     https://www.tiktok.com/music/x-7326640926458743557, or the link itself";

fn why_not_an_id(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let digits = if text.len() == 1 { "digit" } else { "digits" };
        format!("\"{text}\" has {} {digits}; a clip ID has 15 to 20", text.len())
    } else {
        format!("{text:?} is neither a clip ID nor a link")
    }
}

fn of_link(text: &str) -> Result<ClipId, (String, String)> {
    let wrong = |why: &str| Err((format!("{text:?} {why}"), WRITE_AN_ID.to_owned()));
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let Ok(url) = Url::parse(&with_scheme) else {
        return wrong("is not a link");
    };
    let segments: Vec<&str> = url.path().split('/').filter(|s| !s.is_empty()).collect();
    match (url.host_str().unwrap_or_default(), segments.as_slice()) {
        ("vm.tiktok.com" | "vt.tiktok.com", _)
        | ("tiktok.com" | "www.tiktok.com" | "m.tiktok.com", ["t", ..]) => Err((
            format!("{text:?} is a short link, which does not say the clip ID"),
            "open it in a browser and copy the long link from the address bar".to_owned(),
        )),
        ("tiktok.com" | "www.tiktok.com" | "m.tiktok.com", ["music", slug]) => {
            // The slug is any text, percent-encoded; its digits come after the last hyphen.
            let slug = slug.replace("%2D", "-").replace("%2d", "-");
            let digits = slug.rsplit('-').next().unwrap_or_default();
            match digits.parse() {
                Ok(id) => Ok(id),
                Err(_) => wrong("does not end in a clip ID"),
            }
        }
        _ => wrong("is not a link to a sound (tiktok.com/music/...)"),
    }
}
