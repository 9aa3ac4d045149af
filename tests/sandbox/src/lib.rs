//! AWS, GitHub's OIDC and REST API, Slack, Anthropic and Escher's seven services on 127.0.0.1, for tests and for the demo.
//!
//! A [`World`] is pure state: no sockets and no clock, and every fault is on order. A [`Sandbox`] puts it behind HTTP
//! and lets sandbox time pass, [`World::time_scale`] times as fast as real time. What it imitates, and from which
//! observations, is written in `facts/ecs.md`.

mod advance;
mod anthropic;
mod around;
mod buckets;
mod call;
mod clock;
mod ecr;
mod ecs;
mod elb;
mod endpoints;
mod engine;
mod escher;
mod fault;
mod garble;
mod github;
mod http;
mod ids;
mod logs;
mod oidc;
mod refusal;
mod route;
mod script;
mod secrets;
mod server;
mod slack;
mod sts;
mod sts_api;
mod time;
mod types;
mod world;

pub use anthropic::{Anthropic, Failure, Mode};
pub use buckets::{Bucket, Buckets, CATEGORIES, category};
pub use call::Call;
pub use ecr::{Backing, Ecr, Fate, Found, Image, Repository, digest, made_up};
pub use ecs::{
    Breaker, Check, Definition, Deployment, Ecs, Event, Health, Moment, Placement, Revision, RollbackId, Rollout, Service,
    ServiceDeployment, Status, Task, TaskContainer, Timing, What,
};
pub use engine::{Build, BuildFate, BuildState, Engine};
pub use escher::Blueprint;
pub use fault::{Effect, Fault};
pub use github::{App, Approval, ChangedFile, Comparison, FatedJob, GitHub, GitRepository, ListedCommit, Release, Run, RunFate, Workflow};
pub use logs::{Line, Logs, Stream};
pub use oidc::{Issued, Oidc};
pub use route::aws_operations;
pub use script::{Deed, When};
pub use secrets::{Secret, Secrets};
pub use server::Sandbox;
pub use slack::{Channel, Message, Slack, SlackRefusal, Update, slack_limits};
pub use sts::{Role, Session, Sts};
pub use world::World;

#[cfg(test)]
mod tests;
