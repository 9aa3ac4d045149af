//! What was measured, and what it may be at most.

use std::fmt::Write;

use serde_json::{Value, json};

/// One measured value.
#[derive(Debug)]
pub(crate) struct Row {
    group: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    most: Option<f64>,
    note: String,
}

impl Row {
    /// A value that is only told.
    pub(crate) fn told(group: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { group, what: what.into(), value, unit, most: None, note: String::new() }
    }

    /// A value with a limit.
    pub(crate) fn limited(group: &'static str, what: impl Into<String>, value: f64, unit: &'static str, most: f64) -> Self {
        Self { most: Some(most), ..Self::told(group, what, value, unit) }
    }

    /// What this value is next to.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn misses(&self) -> bool {
        // What was not measured is over every limit.
        self.most.is_some_and(|most| self.value.is_nan() || self.value > most)
    }
}

/// Whether every value is within its limit.
pub(crate) fn all_hold(rows: &[Row]) -> bool {
    !rows.iter().any(Row::misses)
}

/// The misses in a few words.
pub(crate) fn verdict(rows: &[Row]) -> String {
    let missed: Vec<String> = rows.iter().filter(|row| row.misses()).map(|row| format!("missed: {}: {}", row.group, row.what)).collect();
    if missed.is_empty() {
        format!("Every one of {} limits holds.", rows.iter().filter(|row| row.most.is_some()).count())
    } else {
        missed.join("\n")
    }
}

/// The table for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let _ = writeln!(text, "\n{group}");
        }
        let most = row.most.map_or_else(String::new, |most| format!("≤ {}", number(most)));
        let verdict = match (row.most, row.misses()) {
            (None, _) => "    ",
            (Some(_), false) => "ok  ",
            (Some(_), true) => "MISS",
        };
        let _ = writeln!(
            text,
            "  {verdict} {what:width$}  {value:>9} {unit:<4} {most:<10} {note}",
            what = row.what,
            value = number(row.value),
            unit = row.unit,
            note = row.note
        );
    }
    text
}

/// The same for machines.
pub(crate) fn as_json(rows: &[Row]) -> Value {
    let one = |row: &Row| {
        json!({
            "group": row.group, "what": row.what, "value": row.value, "unit": row.unit, "limit": row.most, "note": row.note,
            "ok": !row.misses()
        })
    };
    json!({"ok": all_hold(rows), "rows": rows.iter().map(one).collect::<Vec<_>>()})
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if value.fract() == 0.0 && size < 1e9 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
