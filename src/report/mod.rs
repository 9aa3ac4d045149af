//! Pure renderers: what people and machines read of a run.

pub mod advice;
pub mod commands;
pub mod gantt;
pub mod iam;
pub mod json;
pub mod matrix;
pub mod slack;
pub mod summary;
pub mod table;
pub mod text;
