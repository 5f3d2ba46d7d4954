//! Compressing payloads, and unpacking them.

use std::cell::RefCell;

use sha2::{Digest, Sha256};
use zstd::bulk::Compressor;

use crate::api::BODY_LIMIT;
use crate::store::settle::Payload;

/// Of the zstd levels the one after which the size of such answers hardly falls.
const LEVEL: i32 = 3;

thread_local! {
    /// Setting up a compressor costs more than compressing an answer with it.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
}

/// Compresses the bytes of an answer. `size_bytes` is what it had before anything was cut off.
pub(super) fn pack(body: &[u8], size_bytes: i64) -> Payload {
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(body).ok());
    // Compressing into memory does not fail; if it did, the bytes as they are would be readable too.
    Payload {
        hash: Sha256::digest(body).into(),
        body: packed.unwrap_or_else(|| body.to_vec()),
        size_bytes,
    }
}

/// The bytes of a kept answer, if they are those that came.
pub(super) fn unpack(payload: &Payload) -> Result<Vec<u8>, String> {
    let bytes = zstd::bulk::decompress(&payload.body, BODY_LIMIT + 1)
        .map_err(|error| format!("the kept answer cannot be unpacked: {error}"))?;
    if Sha256::digest(&bytes).as_slice() == payload.hash {
        Ok(bytes)
    } else {
        Err("the kept answer is not what came: its bytes have changed".to_owned())
    }
}
