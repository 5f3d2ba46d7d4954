//! The API key: where it comes from, and how it is kept out of sight.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::KEY_VARIABLE;
use crate::problem::{Place, Problem, Problems};

/// The name of the systemd credential.
const CREDENTIAL: &str = "api-key";
/// No key is as long; reading stops there, should someone name a large file.
const MOST_BYTES: u64 = 16 * 1024;

/// A token that can be guessed protects nothing (characters).
const SHORTEST_TOKEN: usize = 16;

/// The API key. It is neither printed nor logged nor stored.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes a key that can stand in an HTTP header; white space after it is dropped. The error
    /// says what is wrong, without the key.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let key = text.trim_end();
        if key.is_empty() {
            Err("there is no key in it")
        } else if key.lines().count() > 1 {
            Err("the key has more than one line")
        } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
            Err("the key has blanks or characters that cannot be sent in an HTTP header")
        } else {
            Ok(Self(SecretString::from(key)))
        }
    }

    /// The key, for the header of a request.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What tells keys apart without giving them away: 16 hex digits of the SHA-256.
    pub fn fingerprint(&self) -> String {
        let mut hex = hex::encode(Sha256::digest(self.expose().as_bytes()));
        hex.truncate(16);
        hex
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.fingerprint())
    }
}

/// Where a key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The credential of systemd.
    Credential,
    /// The file that `api.key_file` names.
    File(PathBuf),
    /// The variable.
    Variable,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential => write!(f, "the systemd credential {CREDENTIAL}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable => write!(f, "the variable {KEY_VARIABLE}"),
        }
    }
}

/// Looks for the key: in the credentials of systemd, in the file, in the variable's value.
pub(super) fn find(
    credentials: Option<&Path>,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<(ApiKey, KeySource), Problems> {
    if let Some(path) = credentials.map(|dir| dir.join(CREDENTIAL))
        && let Some(key) = read(&path, Guarded::BySystemd)?
    {
        return Ok((key, KeySource::Credential));
    }
    if let Some(path) = file
        && let Some(key) = read(path, Guarded::ByMode)?
    {
        return Ok((key, KeySource::File(path.to_path_buf())));
    }
    match variable {
        Some(text) => ApiKey::new(text)
            .map(|key| (key, KeySource::Variable))
            .map_err(|why| {
                Problem::new(format!("{KEY_VARIABLE}: {why}"))
                    .help("the variable must hold the API key alone")
                    .into()
            }),
        None => Err(missing(file).into()),
    }
}

/// The token of the page's visitors; others than the owner must not read its file either.
pub(super) fn token(path: &Path) -> Result<SecretString, Problem> {
    let at = |problem: Problem| problem.at(Place::file(path));
    let Some(text) = read_text(path, Guarded::ByMode, "token")? else {
        let help = "make the file, with a long random text in it, or take http.token_file out";
        return Err(at(Problem::new("there is no token").help(help)));
    };
    let token = text.trim();
    if token.len() < SHORTEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let why = format!("the token must be one word of {SHORTEST_TOKEN} characters or more");
        let help = "make one with: head -c 32 /dev/urandom | base64";
        return Err(at(Problem::new(why).help(help)));
    }
    Ok(SecretString::from(token))
}

/// Who keeps others from reading a key file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guarded {
    /// systemd shows it to the service alone, with mode 0440.
    BySystemd,
    /// Only its mode does.
    ByMode,
}

/// The key of a file; `None` when there is no such file.
fn read(path: &Path, guarded: Guarded) -> Result<Option<ApiKey>, Problem> {
    let Some(text) = read_text(path, guarded, "API key")? else {
        return Ok(None);
    };
    ApiKey::new(&text).map(Some).map_err(|why| {
        Problem::new(why)
            .help("the file must hold the API key alone")
            .at(Place::file(path))
    })
}

/// The text of a file with a secret (`what`); `None` when there is no such file.
fn read_text(path: &Path, guarded: Guarded, what: &str) -> Result<Option<String>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(format!("the {what} cannot be read: {error}"))
            .help("let the user that runs soundwatch own the file")
            .at(Place::file(path))
    };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Of the opened file, not of the path, which may be another file by then.
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    let mode = metadata.permissions().mode();
    if guarded == Guarded::ByMode && mode & 0o077 != 0 {
        let problem = Problem::new(format!(
            "others than the owner can get at the {what} (mode {:03o})",
            mode & 0o777
        ));
        return Err(problem
            .help(format!("chmod 600 {}", shell_quoted(path)))
            .at(Place::file(path)));
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    // Not UTF-8: the replacement characters are refused like any other that no header can hold.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn missing(file: Option<&Path>) -> Problem {
    let file = file.map_or_else(
        || "api.key_file (which is empty)".to_owned(),
        |path| format!("api.key_file, {} (which is not there)", path.display()),
    );
    Problem::new("there is no API key").help(format!(
        "put it into the systemd credential {CREDENTIAL}, or into {file}, or into the variable {KEY_VARIABLE}"
    ))
}

/// A path as a shell takes it.
fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
