//! A buffer that counts what goes through it.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are written at once.
const BUFFER: usize = 256 * 1024;

/// A buffer that counts what it is given.
pub(super) struct Counted<W: Write> {
    to: BufWriter<W>,
    bytes: Bytes,
}

/// Bytes so far, for others to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes(Arc<AtomicU64>);

impl Bytes {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<W: Write> Counted<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to: BufWriter::with_capacity(BUFFER, to),
            bytes: Bytes::default(),
        }
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// What is beneath, after all was written to it.
    pub(super) fn flushed(self) -> io::Result<W> {
        self.to.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.bytes.0.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
