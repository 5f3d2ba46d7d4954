//! A line for each request that came, so that a collector's books can be compared with the API's.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::model::Ask;

/// What was asked, in a file of JSON lines; written before the answer is sent.
#[derive(Debug)]
pub struct RequestLog(Mutex<File>);

impl RequestLog {
    /// Opens a file, to which lines are added.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Mutex::new(file)))
    }

    /// `answer` is `good`, a fault, or why the request was refused.
    pub(super) fn write(&self, n: u64, at: i64, ask: &Ask, answer: &str, credits: i64) {
        let line = json!({
            "n": n,
            "at": at,
            "clip_id": ask.clip_id,
            "region": ask.region.as_str(),
            "period": ask.window.days(),
            "answer": answer,
            "credits": credits,
        });
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "the log of requests is incomplete");
        }
    }
}
