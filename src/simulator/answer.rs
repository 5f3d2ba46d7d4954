//! Answers in the shape of the recorded ones. What they say depends on the seed, the request and
//! the day; only the request's ID and the signatures of links are new each time.

use serde_json::{Value, json};

use super::dice::{between, chance, hash, name};
use super::window::window;
use super::words::{AUTHORS, COUNTRIES, FIRST, INTERESTS, LAST};
use super::world::Truth;
use crate::clock::DAY;
use crate::model::{Ask, ClipId, TrendPoint};

/// What an answer is made from.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) truth: &'a Truth,
    pub(super) seed: u64,
    /// Unix seconds.
    pub(super) now: i64,
    /// The number of the request.
    pub(super) n: u64,
}

impl Moment<'_> {
    /// The envelope.
    pub(super) fn envelope(&self, code: u16, message: &str, data: &Value) -> Value {
        json!({"code": code, "message": message, "data": data, "requestId": self.request_id()})
    }

    /// A detail answer.
    pub(super) fn detail(&self, ask: &Ask) -> Value {
        let data = json!({
            "disliked": null,
            "like_count": null,
            "liked": null,
            "sound": self.sound(ask),
        });
        self.envelope(0, "success", &data)
    }

    /// The key of everything that stays the same for a sound.
    pub(super) fn of(&self, clip_id: &ClipId) -> u64 {
        hash(&[self.seed, name(clip_id.as_str())])
    }

    fn request_id(&self) -> String {
        let high = hash(&[self.seed, self.n, self.now.unsigned_abs(), 1]);
        let low = hash(&[self.seed, self.n, self.now.unsigned_abs(), 2]);
        let hex = format!("{high:016x}{low:016x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
        parts.join("-")
    }

    fn sound(&self, ask: &Ask) -> Value {
        let key = self.of(&ask.clip_id);
        let mut sound = self.listed(ask);
        let audience = json!({
            "audience_ages": self.ages(ask),
            "audience_countries": self.countries(ask),
            "audience_interests": self.interests(ask),
            "longevity": {"popular_days": 0, "current_popularity": 0},
            "music_url": null,
            "rank": null,
            "rank_diff": null,
            "related_items": self.related_items(ask),
        });
        extend(&mut sound, audience);
        if self.is_commercial(&ask.clip_id) {
            let mid = hash(&[key, 41]);
            let url = format!(
                "https://sf16-ies-music.tiktokcdn.com/obj/{mid}.mp3?{}",
                self.signature()
            );
            extend(
                &mut sound,
                json!({"if_cml": true, "cml_mid": mid.to_string(), "music_url": url}),
            );
        }
        sound
    }

    /// What the list says of a sound too.
    pub(super) fn listed(&self, ask: &Ask) -> Value {
        let (clip_id, key) = (&ask.clip_id, self.of(&ask.clip_id));
        let title = title(key);
        json!({
            "author": pick(&AUTHORS, &[key, 3]),
            "clip_id": clip_id,
            "country_code": ask.region.as_str(),
            "cover": self.cover(key),
            "duration": hash(&[key, 4]) % 115 + 5,
            "if_cml": self.is_commercial(clip_id),
            "is_search": false,
            "link": format!("https://www.tiktok.com/music/x-{clip_id}"),
            "on_list_times": (chance(&[key, 5]) < 0.2).then(|| hash(&[key, 6]) % 30 + 1),
            "promoted": chance(&[key, 7]) < 0.05,
            "related_items": null,
            "song_id": format!("7{:018}", hash(&[key, 8]) % 1_000_000_000_000_000_000),
            "title": title,
            "trend": trend(&window(self.truth, ask, self.now)),
            "url_title": title.replace(' ', "-"),
        })
    }

    /// Whether a sound is in the Commercial Music Library.
    pub(super) fn is_commercial(&self, clip_id: &ClipId) -> bool {
        chance(&[self.of(clip_id), 40]) < 0.2
    }

    /// Links of some sounds are signed, and expire.
    fn cover(&self, key: u64) -> String {
        let path = hash(&[key, 9]);
        let cover = format!("https://p16-sg.tiktokcdn.com/aweme/720x720/tos-alisg-v-2774/{path:x}.jpeg");
        if chance(&[key, 10]) < 0.3 {
            format!("{cover}?{}", self.signature())
        } else {
            cover
        }
    }

    fn signature(&self) -> String {
        let signature = hash(&[self.seed, self.n, 11]);
        format!("x-expires={}&x-signature={signature:x}", self.now + DAY / 2)
    }

    /// A score that wanders by the day.
    fn score(&self, ask: &Ask, what: u64) -> u64 {
        let key = hash(&[self.of(&ask.clip_id), name(ask.region.as_str()), what]);
        let today = self.now.div_euclid(DAY).unsigned_abs();
        let base = between(50.0_f64.ln(), 1_500.0_f64.ln(), &[key]).exp();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let score = {
            let wave = (today as f64 / between(5.0, 30.0, &[key, 1])).sin();
            (base * (1.0 + 0.15 * wave) * between(0.97, 1.03, &[key, today])) as u64
        };
        score
    }

    fn countries(&self, ask: &Ask) -> Value {
        let scores = COUNTRIES
            .iter()
            .map(|country| (self.score(ask, name(country.0)), country));
        let top = highest(scores.collect(), 10);
        let entries = top.into_iter().map(|(score, (id, label, value))| {
            json!({"country_info": {"id": id, "label": label, "value": value}, "score": score})
        });
        entries.collect()
    }

    fn interests(&self, ask: &Ask) -> Value {
        let scores = INTERESTS
            .iter()
            .map(|interest| (self.score(ask, name(interest.0)), interest));
        let top = highest(scores.collect(), 5);
        let entries = top.into_iter().map(|(score, (id, value))| {
            let label = format!("diversify_{id}");
            json!({"interest_info": {"id": id, "label": label, "value": value}, "score": score})
        });
        entries.collect()
    }

    fn ages(&self, ask: &Ask) -> Value {
        if chance(&[self.of(&ask.clip_id), 12]) < 0.7 {
            return Value::Null;
        }
        let parts = [3, 4, 5].map(|level| (level, self.score(ask, level)));
        let sum = parts.iter().map(|(_, score)| score).sum::<u64>().max(1);
        let [third, fourth, _] = parts.map(|(_, score)| score * 100 / sum);
        json!([
            {"age_level": 3, "score": third},
            {"age_level": 4, "score": fourth},
            {"age_level": 5, "score": 100 - third - fourth},
        ])
    }

    /// A few sounds have items; some IDs are beyond what 64 bits with a sign can hold.
    fn related_items(&self, ask: &Ask) -> Value {
        let key = self.of(&ask.clip_id);
        if chance(&[key, 13]) < 0.6 {
            return Value::Null;
        }
        let items = (0..hash(&[key, 14]) % 4 + 1).map(|i| {
            let base = if i == 3 {
                11_000_000_000_000_000_000
            } else {
                7_300_000_000_000_000_000
            };
            let item_id: u64 = base + (hash(&[key, 15, i]) >> 6);
            let cover = format!("https://p16-sg.tiktokcdn.com/{item_id}.webp?{}", self.signature());
            json!({"item_id": item_id, "cover_uri": cover})
        });
        items.collect()
    }
}

/// The title of a sound with this key.
pub(super) fn title(key: u64) -> String {
    format!("{} {}", pick(&FIRST, &[key, 1]), pick(&LAST, &[key, 2]))
}

fn pick<'a>(words: &[&'a str], parts: &[u64]) -> &'a str {
    let n = words.len().max(1) as u64;
    let at = usize::try_from(hash(parts) % n).unwrap_or(0);
    words.get(at).copied().unwrap_or_default()
}

fn highest<T>(mut scores: Vec<(u64, T)>, n: usize) -> Vec<(u64, T)> {
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scores.truncate(n);
    scores
}

fn trend(points: &[TrendPoint]) -> Value {
    let entries = points.iter().map(|point| {
        // The API writes 1, not 1.0.
        let value = if point.value == 0.0 || point.value == 1.0 {
            json!(u8::from(point.value == 1.0))
        } else {
            json!(point.value)
        };
        json!({"time": point.time, "value": value})
    });
    entries.collect()
}

/// Adds the keys of one object to another.
pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
