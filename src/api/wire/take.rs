//! JSON objects that are emptied while they are read: nothing is copied, and what nobody asked
//! for is left over and kept.

use std::fmt;

use serde_json::{Map, Number, Value};

/// What has no column, by path.
pub(super) type Extra = Map<String, Value>;

/// A value that must be there in the right shape and is not: the path and what is wrong with it.
#[derive(Debug, PartialEq)]
pub(super) struct WrongShape(pub(super) String);

/// Where a value stands. It is written out only when somebody needs it.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// The whole body.
    Body,
    /// A key of an object.
    Key(&'a Path<'a>, &'a str),
    /// An entry of an array.
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The error that this value is not what it should be.
    pub(super) fn expected(&self, what: &str, got: &Value) -> WrongShape {
        WrongShape(format!("{self}: expected {what}, got {}", kind(got)))
    }

    /// The name in `extra`: the path below `data`, which is the same for all.
    fn below_data(&self) -> String {
        let path = self.to_string();
        let below = path.strip_prefix("data").unwrap_or(&path);
        below.strip_prefix('.').unwrap_or(below).to_owned()
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("the body"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(_, key) if !is_plain(key) => {
                self.parent(f)?;
                write!(f, "[{}]", Value::from(*key))
            }
            Self::Key(Path::Body, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
        }
    }
}

impl Path<'_> {
    fn parent(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body | Self::Key(Path::Body, _) => Ok(()),
            Self::Key(parent, _) | Self::Index(parent, _) => write!(f, "{parent}"),
        }
    }
}

/// Whether a key can stand in a path without quotes, and no two paths look the same.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && !key.contains(['.', '[', ']', '"'])
}

/// What a value is, for people.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) if number.as_str().len() <= 30 => format!("the number {number}"),
        Value::Number(_) => "a very long number".to_owned(),
        Value::String(text) if text.len() > 200 => format!("a string of {} bytes", text.len()),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// How a value is read: what it should be, and the value itself back when it is not that.
pub(super) struct Reader<T> {
    /// What it should be, for people.
    what: &'static str,
    read: fn(Value) -> Result<T, Value>,
}

/// A string.
pub(super) const TEXT: Reader<String> = Reader {
    what: "a string",
    read: |value| match value {
        Value::String(text) => Ok(text),
        other => Err(other),
    },
};

/// A string that names something, and is a key in a database: of at most 200 characters.
pub(super) const NAME: Reader<String> = Reader {
    what: "a string of at most 200 characters",
    read: |value| match value {
        Value::String(text) if text.chars().count() <= 200 => Ok(text),
        other => Err(other),
    },
};

/// `true` or `false`.
pub(super) const TRUTH: Reader<bool> = Reader {
    what: "true or false",
    read: |value| value.as_bool().ok_or(value),
};

/// A whole number of 64 bits; `7.0` is one too.
pub(super) const WHOLE: Reader<i64> = Reader {
    what: "a whole number",
    read: |value| value.as_number().and_then(whole).ok_or(value),
};

/// A finite number.
pub(super) const NUMBER: Reader<f64> = Reader {
    what: "a number",
    read: |value| value.as_f64().filter(|n| n.is_finite()).ok_or(value),
};

/// The digits of a whole number of any size, or a text.
pub(super) const DIGITS_OR_TEXT: Reader<String> = Reader {
    what: "a whole number or a string",
    read: |value| match value {
        Value::String(text) => Ok(text),
        Value::Number(number) if is_integer(&number) => Ok(number.to_string()),
        other => Err(other),
    },
};

/// An array.
pub(super) const LIST: Reader<Vec<Value>> = Reader {
    what: "an array",
    read: |value| match value {
        Value::Array(list) => Ok(list),
        other => Err(other),
    },
};

/// An object.
pub(super) const OBJECT: Reader<Map<String, Value>> = Reader {
    what: "an object",
    read: |value| match value {
        Value::Object(map) => Ok(map),
        other => Err(other),
    },
};

/// An object with an identity, without which it is nothing: one lacking it is kept as it is.
pub(super) const ITEM: Reader<Map<String, Value>> = Reader {
    what: "an item",
    read: |value| match value {
        Value::Object(map) if map.get("item_id").is_some_and(is_digits_or_text) => Ok(map),
        other => Err(other),
    },
};

fn is_digits_or_text(value: &Value) -> bool {
    value.is_string() || value.as_number().is_some_and(is_integer)
}

fn is_integer(number: &Number) -> bool {
    !number.as_str().contains(['.', 'e', 'E'])
}

fn whole(number: &Number) -> Option<i64> {
    /// Beyond this not every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
    })
}

/// An object that is being emptied.
pub(super) struct Object<'p> {
    map: Map<String, Value>,
    path: &'p Path<'p>,
}

impl<'p> Object<'p> {
    /// Opens the object at `path`.
    pub(super) fn open(value: Value, path: &'p Path<'p>) -> Result<Self, WrongShape> {
        let map = required(value, path, &OBJECT)?;
        Ok(Self::of(map, path))
    }

    /// An object that is open already.
    pub(super) fn of(map: Map<String, Value>, path: &'p Path<'p>) -> Self {
        Self { map, path }
    }

    /// The path of one of its keys.
    pub(super) fn at<'k>(&self, key: &'k str) -> Path<'k>
    where
        'p: 'k,
    {
        Path::Key(self.path, key)
    }

    /// A value; null when it is missing.
    pub(super) fn take(&mut self, key: &str) -> Value {
        self.map.remove(key).unwrap_or(Value::Null)
    }

    /// A value that may be null or missing. One of another type goes to `extra`.
    pub(super) fn optional<T>(&mut self, key: &str, reader: &Reader<T>, extra: &mut Extra) -> Option<T> {
        optional(self.take(key), &Path::Key(self.path, key), reader, extra)
    }

    /// A value that may be null or missing, but not of another type.
    pub(super) fn nullable<T>(&mut self, key: &str, reader: &Reader<T>) -> Result<Option<T>, WrongShape> {
        match self.take(key) {
            Value::Null => Ok(None),
            value => required(value, &Path::Key(self.path, key), reader).map(Some),
        }
    }

    /// A value that must be there.
    pub(super) fn required<T>(&mut self, key: &str, reader: &Reader<T>) -> Result<T, WrongShape> {
        let path = Path::Key(self.path, key);
        match self.map.remove(key) {
            Some(value) => required(value, &path, reader),
            None => Err(WrongShape(format!(
                "{path}: expected {}, but it is missing",
                reader.what
            ))),
        }
    }

    /// Keeps what is left over.
    pub(super) fn close(self, extra: &mut Extra) {
        for (key, value) in self.map {
            extra.insert(Path::Key(self.path, &key).below_data(), value);
        }
    }
}

/// A value that must be of the right type.
pub(super) fn required<T>(value: Value, path: &Path<'_>, reader: &Reader<T>) -> Result<T, WrongShape> {
    (reader.read)(value).map_err(|got| path.expected(reader.what, &got))
}

/// A value that may be null; one of another type goes to `extra`.
pub(super) fn optional<T>(value: Value, path: &Path<'_>, reader: &Reader<T>, extra: &mut Extra) -> Option<T> {
    if value.is_null() {
        return None;
    }
    (reader.read)(value)
        .map_err(|other| extra.insert(path.below_data(), other))
        .ok()
}

/// Turns numbers that Postgres cannot keep into texts, all over a value.
pub(super) fn tame(value: &mut Value) {
    match value {
        Value::Number(number) if !is_tame(number) => *value = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(tame),
        Value::Object(fields) => fields.values_mut().for_each(tame),
        _ => {}
    }
}

fn is_tame(number: &Number) -> bool {
    let text = number.as_str();
    let float = number.as_f64().unwrap_or(f64::INFINITY);
    // Something tiny is read as 0 too.
    let in_range = float.is_finite() && (float != 0.0 || !text.contains(['e', 'E']));
    in_range && text.len() <= 1_000
}
