//! Tables for people, JSON for scripts.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// As the database answered.
pub fn json(value: &Value) {
    println!("{value:#}");
}

/// Rows under their column names, which are the members of the objects.
pub fn table(rows: &Value, columns: &[&str]) {
    let rows: Vec<Vec<String>> = rows
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| row.get(column).map_or_else(String::new, |value| shown(column, value)))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([column.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    line(&columns.iter().map(|column| column.replace('_', " ")).collect::<Vec<_>>(), &widths);
    line(&widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>(), &widths);
    for row in &rows {
        line(row, &widths);
    }
    println!("{} {}", rows.len(), if rows.len() == 1 { "row" } else { "rows" });
}

/// Members one below the other.
pub fn object(object: &Value) {
    let Some(members) = object.as_object() else {
        println!("{}", cell(object));
        return;
    };
    let width = members.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    for (name, value) in members {
        println!("{name:width$}  {}", shown(name, value));
    }
}

fn line(cells: &[String], widths: &[usize]) {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    println!("{}", padded.join("  ").trim_end());
}

/// A time to the second: people do not read microseconds, nor seconds since 1970.
pub fn time(value: &Value) -> String {
    let text = match value.as_i64().map(OffsetDateTime::from_unix_timestamp) {
        Some(Ok(time)) => time.format(&Rfc3339).unwrap_or_default(),
        Some(Err(_)) | None => cell(value),
    };
    match text.split_at_checked("2000-01-01T00:00:00".len()) {
        Some((seconds, rest)) => {
            let zone = rest.trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
            format!("{}{}", seconds.replace('T', " "), zone.replace("+00:00", "Z"))
        }
        None => text,
    }
}

fn shown(name: &str, value: &Value) -> String {
    if name.ends_with("_at") { time(value) } else { cell(value) }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Names come from strangers: a control character could rewrite what the terminal shows.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
