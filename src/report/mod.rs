//! Pure renderers: what people and machines read of a run.

pub mod advice;
pub mod blocks;
pub mod commands;
pub mod gantt;
pub mod html;
pub mod iam;
pub mod json;
pub mod markdown;
pub mod matrix;
pub mod notes;
pub mod notes_console;
pub mod notes_lines;
pub mod schema;
pub mod slack;
pub mod slack_notes;
pub mod smoke;
pub mod status;
pub mod suite;
pub mod summary;
pub mod table;
pub mod text;
