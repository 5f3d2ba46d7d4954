//! What `/api/v1/status` answers, as a JSON schema. A test holds a real answer against it.

use serde_json::{Value, json};

use super::object;

pub(super) fn schema() -> Value {
    closed(json!({
        "at": instant(),
        "ready": { "type": "boolean" },
        "reasons": list(json!({ "what": text(), "why": text() })),
        "targets": { "type": "object", "description": "Live targets by state", "additionalProperties": count() },
        "last_24_hours": list(json!({ "outcome": text_or_null(), "reason": text_or_null(), "slots": count() })),
        "budget": closed(json!({ "daily_credits": count(), "monthly_credits": count() })),
        "forecast": forecast(),
        "alerts": list(json!({
            "kind": text(), "subject": text(), "message": text(), "targets": { "type": ["integer", "null"] },
            "raised_at": instant(), "recovered_at": instant_or_null(), "told_at": instant_or_null(),
        })),
        "pauses": list(json!({ "fingerprint": text(), "reason": text(), "since": instant(), "until": instant() })),
        "workers": list(json!({
            "host": text_or_null(), "pid": { "type": ["integer", "null"] }, "version": text_or_null(),
            "started_at": instant(), "heartbeat_at": instant(),
        })),
    }))
}

fn forecast() -> Value {
    let charts = closed(json!({
        "schedule": text(), "time_zone": text(), "charts": count(), "pages": count(),
        "requests_per_day": number(), "credits_per_day": number(), "max_targets": count(),
    }));
    closed(json!({
        "targets": count(),
        "schedules": list(json!({
            "schedule": text(), "time_zone": text(), "targets": count(), "slots_per_day": number(),
            "next_slot": instant_or_null(),
        })),
        "charts": { "oneOf": [{ "type": "null" }, charts] },
        "requests_per_day": number(),
        "credits_per_day": number(),
        "credits_in_30_days": number(),
        "next_slot": instant_or_null(),
        "due_now": count(),
        "spent": closed(json!({ "day": count(), "month": count() })),
        "days": list(json!({
            "day": { "type": "string", "format": "date" }, "slots": count(), "requests": count(), "credits": count(),
            "paid_credits": count(), "over_credits": count(),
        })),
        "months": list(json!({
            "month": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$" }, "spent_credits": count(), "credits": count(),
            "monthly_credits": count(), "over_credits": count(),
        })),
    }))
}

/// An object that has all of these properties, and no others.
fn closed(properties: Value) -> Value {
    let names: Vec<String> = properties
        .as_object()
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    object(&names, properties)
}

fn list(properties: Value) -> Value {
    json!({ "type": "array", "items": closed(properties) })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_or_null() -> Value {
    json!({ "type": ["string", "null"] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn number() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn instant_or_null() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}
