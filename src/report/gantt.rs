//! The run as a Mermaid gantt (<https://mermaid.js.org/syntax/gantt.html>), the critical path marked.

use std::time::Duration;

use crate::domain::board::{Board, Row, State};
use crate::domain::outcome::End;

/// Beyond this a diagram helps nobody, and Mermaid refuses long texts.
const MOST_ROWS: usize = 80;

/// The diagram's source; none where nothing was begun.
pub fn mermaid(board: &Board) -> Option<String> {
    let (path, _) = board.critical_path();
    let begun: Vec<&Row> = board.rows().iter().filter(|row| row.started.is_some()).collect();
    if begun.is_empty() || begun.len() > MOST_ROWS {
        return None;
    }
    let mut lines = vec![
        "gantt".to_owned(),
        "    dateFormat x".to_owned(),
        "    axisFormat %M:%S".to_owned(),
        "    title critical path marked; a service's second bar is the draining of its old tasks".to_owned(),
    ];
    for row in begun {
        lines.push(format!("    section {}", word(row.name.as_str())));
        let (start, end) = (row.started.unwrap_or_default(), row.ended.unwrap_or_default());
        let mark = match &row.state {
            State::Done(End::Failed(_)) => "crit, done, ",
            _ if path.contains(&row.name) => "crit, ",
            _ => "",
        };
        match row.opened.filter(|opened| *opened > start && *opened < end) {
            Some(opened) => {
                lines.push(bar("to healthy", mark, start, opened));
                lines.push(bar("drain", "active, ", opened, end));
            }
            None => lines.push(bar(crate::report::table::words(row).as_str(), mark, start, end)),
        }
    }
    Some(lines.join("\n"))
}

fn bar(name: &str, mark: &str, start: Duration, end: Duration) -> String {
    // A bar of no length isn't drawn.
    format!("    {} :{mark}{}, {}", word(name), start.as_millis(), end.as_millis().max(start.as_millis() + 1))
}

/// Colons, semicolons and `#` end a Mermaid text.
fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || " -_./".contains(c) { c } else { ' ' }).collect()
}
