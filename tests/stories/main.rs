//! The binary as users run it, over real sockets, against the sandbox. Each test is a story with an end that is checked in
//! the exit code, the outputs, the report, and in what the sandbox saw.
#![expect(clippy::disallowed_methods, reason = "stories start programs")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should stop")]

mod action;
mod behind;
mod builds;
mod changes;
mod chaos;
mod chaos_faults;
mod commands;
mod configuration;
mod docs;
mod e2e;
mod e2e_program;
mod failures;
mod github;
mod harness;
mod house;
mod iam;
mod interruption;
mod migration;
mod notes;
mod notes_hostile;
mod page;
mod plan;
mod promote;
mod reference;
mod refusals;
mod rollback;
mod secrecy;
mod slack;
mod status;
mod success;
mod uncertain;
mod verify;
