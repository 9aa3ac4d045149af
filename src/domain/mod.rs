//! The rules of a release: pure. No I/O, no clock, no async, no SDK types.

pub mod board;
pub mod change;
pub mod credential;
pub mod diagnosis;
pub mod environment;
pub mod graph;
pub mod image;
pub mod migration;
pub mod names;
pub mod native;
pub mod older;
pub mod outcome;
pub mod paths;
pub mod plan;
pub mod planner;
pub mod rollout;
pub mod scope;
pub mod service;
pub mod smoke;
pub mod tag;
pub mod task_definition;
