//! What the command `smoke` found, told to a person.

use super::table;
use crate::domain::board::{Board, Row, State};
use crate::domain::outcome::End;

/// It was asked: a service that isn't has no time of its own.
fn was_asked(row: &Row) -> bool {
    row.started.is_some()
}

/// One service.
pub fn line(row: &Row) -> String {
    let version = row.from.version.as_deref().map(|version| format!(" ({version})")).unwrap_or_default();
    match &row.state {
        State::Done(End::Failed(failure)) => format!("  ✗ {}{version}: {}", row.name, table::kind_word(&failure.kind)),
        _ if was_asked(row) => format!("  ✓ {}{version} answers well", row.name),
        _ => format!("  – {}{version} {}", row.name, row.reason),
    }
}

/// All of them.
pub fn headline(board: &Board, environment: &str) -> String {
    let asked = board.rows().iter().filter(|row| was_asked(row)).count();
    let well = asked - board.failures().count();
    let others = board.rows().len() - asked;
    let others = if others == 0 { String::new() } else { format!("; {others} not asked") };
    format!("{well} of {asked} services answer well on {environment}{others}")
}
