//! Where sounds stand in a document (`[[sounds]]`, or a list of inline tables), and what stands
//! between them: comments are kept, whatever is taken out around them.

use toml_edit::{Array, ArrayOfTables, Decor, DocumentMut, Item, RawString, Table, TableLike, Value};

const SOUNDS: &str = "sounds";

/// The tables of all sounds, in the order of the file.
pub(super) fn tables(document: &DocumentMut) -> Box<dyn Iterator<Item = &dyn TableLike> + '_> {
    match document.get(SOUNDS) {
        Some(Item::ArrayOfTables(tables)) => Box::new(tables.iter().map(|table| table as &dyn TableLike)),
        Some(Item::Value(Value::Array(list))) => {
            let inline = list.iter().filter_map(Value::as_inline_table);
            Box::new(inline.map(|table| table as &dyn TableLike))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// The table of the sound number `at`.
pub(super) fn table_mut(document: &mut DocumentMut, at: usize) -> Option<&mut dyn TableLike> {
    match document.get_mut(SOUNDS)? {
        Item::ArrayOfTables(tables) => tables.get_mut(at).map(|table| table as &mut dyn TableLike),
        Item::Value(Value::Array(list)) => {
            let inline = list.get_mut(at)?.as_inline_table_mut()?;
            Some(inline as &mut dyn TableLike)
        }
        _ => None,
    }
}

/// Puts a sound behind all others.
pub(super) fn push(document: &mut DocumentMut, mut table: Table) {
    if let Some(Item::Value(Value::Array(list))) = document.get_mut(SOUNDS) {
        push_value(list, Value::InlineTable(table.into_inline_table()));
        return;
    }
    // With the position of the last one it stands behind that, whatever else the file has.
    let last = sounds(document).and_then(|tables| tables.get(tables.len().checked_sub(1)?)?.position());
    table.set_position(last);
    table.decor_mut().set_prefix("\n");
    if last.is_none() || defaults_position(document) < last {
        // What stands at the end of the file stands before the new sound.
        let end = text_of(Some(document.trailing()));
        let is_empty = document.as_table().is_empty();
        table.decor_mut().set_prefix(with_blank_line(end, is_empty));
        document.set_trailing("");
    }
    let sounds = document
        .entry(SOUNDS)
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if let Item::ArrayOfTables(tables) = sounds {
        tables.push(table);
    }
}

fn with_blank_line(mut end: String, is_empty: bool) -> String {
    if end.is_empty() && is_empty {
        return end;
    }
    if !end.is_empty() && !end.ends_with('\n') {
        end.push('\n');
    }
    if end != "\n" && !end.ends_with("\n\n") {
        end.push('\n');
    }
    end
}

/// Takes out the sounds that are `gone`. The comments before them stay, before what follows.
pub(super) fn take_out(document: &mut DocumentMut, gone: &[bool]) {
    let gone_at = |at: usize| gone.get(at).copied().unwrap_or(false);
    if let Some(Item::Value(Value::Array(list))) = document.get_mut(SOUNDS) {
        let mut at = 0..;
        retain(list, |_| !at.next().is_some_and(gone_at));
        return;
    }
    let defaults_at = defaults_position(document);
    let mut for_defaults = String::new();
    let mut comments = String::new();
    let mut last = None;
    if let Some(Item::ArrayOfTables(tables)) = document.get_mut(SOUNDS) {
        for (at, table) in tables.iter_mut().enumerate() {
            if last < defaults_at && defaults_at < table.position() {
                for_defaults = std::mem::take(&mut comments);
            }
            last = table.position().or(last);
            if gone_at(at) {
                comments += &left_over(&text_of(table.decor().prefix()));
            } else if !comments.is_empty() {
                put_before(table.decor_mut(), &std::mem::take(&mut comments));
            }
        }
        let mut at = 0..;
        tables.retain(|_| !at.next().is_some_and(gone_at));
    }
    if last < defaults_at && for_defaults.is_empty() {
        for_defaults = std::mem::take(&mut comments);
    }
    if let Some(Item::Table(defaults)) = document.get_mut("defaults")
        && !for_defaults.is_empty()
    {
        put_before(defaults.decor_mut(), &for_defaults);
    }
    if !comments.is_empty() {
        let trailing = comments + &text_of(Some(document.trailing()));
        document.set_trailing(trailing);
    }
}

/// What is kept of the text before a sound that is taken out: all of it if there is a comment.
fn left_over(prefix: &str) -> String {
    if !prefix.contains('#') {
        return String::new();
    }
    // The blank line that set the sound apart goes with it.
    match prefix.strip_suffix("\n\n") {
        Some(shorter) => format!("{shorter}\n"),
        None => prefix.to_owned(),
    }
}

/// Adds a value to a list, set apart as the last one is.
pub(super) fn push_value(list: &mut Array, mut value: Value) {
    let last = list.iter().last().map(|last| text_of(last.decor().prefix()));
    let indent = match &last {
        Some(before) => match before.rfind('\n') {
            Some(line) => before.get(line..).unwrap_or_default(),
            None => " ",
        },
        None => "",
    };
    value.decor_mut().set_prefix(indent);
    // The break before the closing bracket stays there.
    let suffix = list
        .iter()
        .last()
        .map(|last| text_of(last.decor().suffix()))
        .unwrap_or_default();
    value.decor_mut().set_suffix("");
    if !suffix.is_empty() && !suffix.contains('#') {
        if let Some(last) = list.iter_mut().last() {
            last.decor_mut().set_suffix("");
        }
        value.decor_mut().set_suffix(suffix);
    }
    list.push_formatted(value);
}

/// Keeps of a list what `stays`, and all comments.
pub(super) fn retain(list: &mut Array, mut stays: impl FnMut(&Value) -> bool) {
    let mut comments = String::new();
    let mut gone = Vec::new();
    for value in list.iter_mut() {
        gone.push(!stays(value));
        if gone.last() == Some(&true) {
            let around = [value.decor().prefix(), value.decor().suffix()].map(text_of);
            comments.extend(around.into_iter().filter(|text| text.contains('#')));
        } else if !comments.is_empty() {
            put_before(value.decor_mut(), &std::mem::take(&mut comments));
        }
    }
    if !comments.is_empty() {
        let trailing = comments + &text_of(Some(list.trailing()));
        list.set_trailing(trailing);
    }
    let first_was = list.get(0).map(|first| text_of(first.decor().prefix()));
    let mut gone = gone.into_iter();
    list.retain(|_| !gone.next().unwrap_or(false));
    // No space after the bracket that there was not.
    if let (Some(was), Some(first)) = (first_was, list.get_mut(0))
        && text_of(first.decor().prefix()) == " "
    {
        first.decor_mut().set_prefix(was);
    }
}

fn put_before(decor: &mut Decor, comments: &str) {
    let prefix = format!("{comments}{}", text_of(decor.prefix()));
    decor.set_prefix(prefix);
}

fn sounds(document: &DocumentMut) -> Option<&ArrayOfTables> {
    document.get(SOUNDS).and_then(Item::as_array_of_tables)
}

fn defaults_position(document: &DocumentMut) -> Option<isize> {
    document.get("defaults").and_then(Item::as_table)?.position()
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}
