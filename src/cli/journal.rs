//! Logs in systemd's journal: a line to read, and each fact as a field to select by
//! (`journalctl SOUNDWATCH_OUTCOME=failed`), in the journal's native protocol.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Whether `stream` (`JOURNAL_STREAM`: device and inode) is the journal that stderr writes to. Someone
/// may have redirected stderr since.
pub(super) fn is_stderr(stream: Option<&str>) -> bool {
    let stderr = rustix::fs::fstat(io::stderr());
    stderr.is_ok_and(|stderr| stream == Some(format!("{}:{}", stderr.st_dev, stderr.st_ino).as_str()))
}

/// Sends each event to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    pub(super) fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut facts = Facts::default();
        event.record(&mut facts);
        let line = facts.line();
        let entry = entry(*event.metadata().level(), &line, &facts);
        if self.socket.send_to(&entry, SOCKET).is_err() {
            // Too long for one datagram, most likely: without fields it gets through. When that
            // fails too there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// What an event says.
#[derive(Default)]
struct Facts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Facts {
    fn line(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!(" {name}={value}"));
        fields.fold(self.message.clone(), |line, field| line + &field)
    }
}

impl Visit for Facts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }
}

/// An entry as the journal takes it. It keeps letters, digits and underscores in names of fields.
fn entry(level: Level, line: &str, facts: &Facts) -> Vec<u8> {
    let priority = match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    };
    let mut entry = Vec::new();
    put(&mut entry, "PRIORITY", priority);
    put(&mut entry, "SYSLOG_IDENTIFIER", "soundwatch");
    put(&mut entry, "MESSAGE", line);
    for (name, value) in &facts.fields {
        let name = name.to_uppercase();
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        put(&mut entry, &format!("SOUNDWATCH_{name}"), value);
    }
    entry
}

/// With its length, so that a value may hold line breaks.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_line_to_read_and_each_fact_as_a_field() {
        let facts = Facts {
            message: "fetch settled".to_owned(),
            fields: vec![("outcome", "failed".to_owned()), ("db.note", "a\nb".to_owned())],
        };
        let line = facts.line();
        assert_eq!(line, "fetch settled outcome=failed db.note=a\nb");
        let entry = entry(Level::WARN, &line, &facts);
        let text = String::from_utf8(entry).unwrap();
        let field = |name: &str, value: &str| {
            let length = String::from_utf8((value.len() as u64).to_le_bytes().to_vec()).unwrap();
            format!("{name}\n{length}{value}\n")
        };
        let expected = [
            field("PRIORITY", "4"),
            field("SYSLOG_IDENTIFIER", "soundwatch"),
            field("MESSAGE", &line),
            field("SOUNDWATCH_OUTCOME", "failed"),
            field("SOUNDWATCH_DB_NOTE", "a\nb"),
        ];
        assert_eq!(text, expected.concat());
    }

    #[test]
    fn a_stream_that_is_not_stderr_is_not_the_journal() {
        assert!(!is_stderr(None));
        assert!(!is_stderr(Some("0:0")));
    }

    #[test]
    fn the_stream_that_stderr_writes_to_is_the_journal() {
        let stderr = rustix::fs::fstat(io::stderr()).unwrap();
        assert!(is_stderr(Some(&format!("{}:{}", stderr.st_dev, stderr.st_ino))));
    }
}
