//! The binary on parts that nobody here wrote. Start it with `tests/realstack/run`.
#![expect(clippy::disallowed_methods, reason = "stories start programs, and the script `run` says where the stack is")]
#![expect(clippy::print_stderr, reason = "a line for each story, and measured figures")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should stop")]

mod cloud;
mod images;
mod release;
mod runner;
mod stack;
