//! The edge: one file for each outside party, each speaking domain types. The seam for tests is the HTTP endpoint.

pub mod anthropic;
pub mod aws;
pub mod call;
pub mod checkout;
pub mod clock;
pub mod console;
pub mod docker;
pub mod ecr;
pub mod ecs;
mod ecs_tasks;
mod ecs_view;
pub mod elb;
pub mod endpoint;
pub mod github;
pub mod github_actions;
pub mod github_commits;
pub mod github_releases;
pub mod http;
pub mod logs;
pub mod oidc;
mod pace;
pub mod process;
pub mod role;
pub mod secrets;
pub mod slack;
