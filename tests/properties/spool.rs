//! The spool's reader.

use sha2::{Digest, Sha256};
use soundwatch::collect::settlement_of;
use soundwatch::spool::{Left, Spool};

const HEADER: usize = 8 + 8 + 32;

/// Whatever stands in a file of the spool: a record is given exactly when it was written whole. And
/// whatever a record says, reading it does not panic.
pub(crate) fn spool(bytes: &[u8]) {
    given_when_whole(bytes);
    // A record over an older one, torn where the first two bytes say.
    if let Some((at, record)) = bytes.split_first_chunk::<2>() {
        let mut file = image(b"an answer of yesterday");
        let new = image(record);
        let torn = usize::from(u16::from_le_bytes(*at)) % (new.len() + 1);
        file.resize(file.len().max(torn), 0);
        file[..torn].copy_from_slice(&new[..torn]);
        given_when_whole(&file);
        given_when_whole(&new);
        let settlement = settlement_of(record).map(|s| format!("{s:?}"));
        assert_eq!(settlement, settlement_of(record).map(|s| format!("{s:?}")));
    }
}

/// A record as the file format says.
fn image(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    [b"swspool1", &length[..], &Sha256::digest(record), record].concat()
}

fn whole(file: &[u8]) -> Option<&[u8]> {
    let length = u64::from_le_bytes(file.get(8..16)?.try_into().ok()?);
    let end = HEADER.checked_add(usize::try_from(length).ok()?)?;
    let record = file.get(HEADER..end)?;
    file.starts_with(&image(record)).then_some(record)
}

fn given_when_whole(file: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for a moment");
    let spool = Spool::open(folder.path()).expect("a spool");
    let path = folder.path().join("answer-0000");
    std::fs::write(&path, file).expect("a file of the spool");
    let left = spool.left().expect("a file that can be read");
    match (left.as_slice(), whole(file)) {
        ([Left::Record(given, _)], Some(record)) => assert_eq!(given, record),
        ([Left::Torn(aside)], None) => assert_eq!(std::fs::read(aside).ok().as_deref(), Some(file)),
        ([], None) => assert!(!file.starts_with(b"swspool1"), "a record that nobody is told of"),
        (left, record) => panic!("{left:?}, and whole is {record:?}"),
    }
}
