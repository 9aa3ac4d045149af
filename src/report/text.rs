//! Text from outside made harmless, and the small words that all reports share.

use std::time::Duration;

pub use crate::domain::text::{clean, cut, one_line};

/// No line of it is a workflow command: the runner takes `::` at a line's beginning, blanks before it or not, and the old
/// `##[` anywhere.
pub fn defuse(text: &str) -> String {
    let lines: Vec<String> = clean(text).split('\n').map(defuse_line).collect();
    lines.join("\n")
}

fn defuse_line(line: &str) -> String {
    let line = line.replace("##[", "# #[");
    let body = line.trim_start();
    match body.strip_prefix("::") {
        Some(rest) => format!("{}: :{rest}", &line[..line.len() - body.len()]),
        None => line,
    }
}

/// The last lines of a log under a title; nothing of an empty one.
pub fn log_tail(log: &[String], most: usize) -> Vec<String> {
    let title = (!log.is_empty() && most > 0).then(|| "the log's last lines:".to_owned());
    let shown = log.iter().skip(log.len().saturating_sub(most)).map(|line| format!("  | {}", one_line(line, 300)));
    title.into_iter().chain(shown).collect()
}

/// `8.4s`, `42s`, `3m 07s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round() as u64;
    if whole < 60 { format!("{whole}s") } else { format!("{}m {:02}s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [(0.04, "0.0s"), (8.44, "8.4s"), (9.97, "10s"), (59.6, "1m 00s"), (187.0, "3m 07s")];
        for (seconds, expected) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_workflow_command(text in "(\\PC|[:#\\[\r\n\t ]|::error|##\\[error\\]){0,40}") {
            let safe = defuse(&text);
            prop_assert!(!safe.contains("##["), "{safe:?}");
            for line in safe.split(['\n', '\r']) {
                prop_assert!(!line.trim_start().starts_with("::"), "{safe:?}");
            }
        }
    }
}
