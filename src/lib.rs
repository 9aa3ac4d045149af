//! The library behind `escher-deploy`. See ARCHITECTURE.md for the house, and `pipeline` for the story.

pub mod cli;
pub mod clients;
pub mod config;
pub mod domain;
pub mod error;
pub mod pipeline;
pub mod report;
pub mod stages;
