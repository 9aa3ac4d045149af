//! What must hold of every input, whatever it is. Each function is a fuzz target's whole work; a claim that does not hold
//! panics.
#![allow(missing_docs, dead_code, unreachable_pub, reason = "the house's own rooms, of which only some doors are used here")]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/report/mod.rs"]
pub mod report;

mod answers;
mod clients;
mod files;
mod shown;
mod texts;

pub use answers::{definition_answer, service_answer, task_definition};
pub use clients::github_answer;
pub use files::{dotenv, services_file};
pub use shown::{html_page, output_file, slack_message, workflow_command};
pub use texts::{commit_message, junit, tag};
