//! Settings that there are not, with those that were probably meant.

use toml::de::{DeTable, DeValue};

use super::{KEYS, PREFIX, variable_of};
use crate::problem::{Problem, nearest};
use crate::source::{Source, kind_of, offset};

/// A variable that looks like a setting and is none.
pub(super) fn unknown_variable(name: &str) -> Problem {
    let key = name.trim_start_matches(PREFIX).replace("__", ".");
    let help = match nearest(&key, KEYS.into_iter().chain(["api.key"])) {
        Some(meant) => format!("did you mean {}?", variable_of(meant)),
        None => "config.toml.example has all settings".to_owned(),
    };
    Problem::new(format!("{name}: this environment variable sets nothing")).help(help)
}

/// What the file has beside the settings that there are, and numbers too large to be any.
pub(super) fn unknown_keys(source: &Source<'_>, table: &DeTable<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, section) in table {
        let sections = || KEYS.into_iter().filter_map(|key| Some(key.split_once('.')?.0));
        let problem = match section.get_ref() {
            DeValue::Table(_) if !sections().any(|s| s == name.get_ref()) => {
                let meant = nearest(name.get_ref(), sections()).map(|meant| format!("[{meant}]"));
                unknown(&format!("[{}]", name.get_ref()), "section", meant)
            }
            _ if !sections().any(|s| s == name.get_ref()) => {
                unknown(name.get_ref(), "setting", elsewhere(name.get_ref()))
            }
            DeValue::Table(values) => {
                problems.extend(unknown_in_section(source, name.get_ref(), values));
                continue;
            }
            other => Problem::new(format!("{} is {}, not a section", name.get_ref(), kind_of(other)))
                .help(format!("write [{}] on a line of its own", name.get_ref())),
        };
        problems.push(problem.at(source.place(offset(name))));
    }
    problems
}

fn unknown_in_section(source: &Source<'_>, section: &str, values: &DeTable<'_>) -> Vec<Problem> {
    let names = || {
        KEYS.into_iter()
            .filter_map(|key| key.strip_prefix(section)?.strip_prefix('.'))
    };
    let mut problems = Vec::new();
    for (name, value) in values {
        let key = format!("{section}.{}", name.get_ref());
        if key == "api.key" {
            let problem = Problem::new("api.key: the key does not belong in this file")
                .help("put it into a file of its own and name that in api.key_file");
            problems.push(problem.at(source.place(offset(name))));
        } else if !names().any(|known| known == name.get_ref()) {
            let meant = nearest(name.get_ref(), names()).map(|meant| format!("{section}.{meant}"));
            let meant = meant.or_else(|| elsewhere(name.get_ref()));
            problems.push(unknown(&key, "setting", meant).at(source.place(offset(name))));
        } else if let DeValue::Integer(n) = value.get_ref()
            && i64::from_str_radix(n.as_str(), n.radix()).is_err()
        {
            let problem = Problem::new(format!("{key}: {n} is not possible")).help("write a smaller number");
            problems.push(problem.at(source.place(offset(value))));
        }
    }
    problems
}

/// The setting of this name in whatever section, and where it belongs.
fn elsewhere(name: &str) -> Option<String> {
    let mut split = KEYS.into_iter().filter_map(|key| key.split_once('.'));
    let (section, name) = split.find(|(_, of)| *of == name)?;
    Some(format!("{section}.{name}, which stands below [{section}]"))
}

fn unknown(key: &str, what: &str, meant: Option<String>) -> Problem {
    let help = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => "config.toml.example has all settings".to_owned(),
    };
    Problem::new(format!("{key}: there is no such {what}")).help(help)
}
