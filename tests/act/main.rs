//! Every workflow of `examples/workflows` in real act against the sandbox. Start it with `tests/act/run`.
#![expect(clippy::disallowed_methods, reason = "stories start programs, and the script `run` says where act is")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on should stop")]

mod component;
mod deploy;
mod matrix;
mod release;
mod repository;
mod suite;
