//! Refuses a release that is older than what runs. What can't be compared is told, and goes on: GitHub's word is wanted, not
//! needed, to deploy.

use super::world::World;
use crate::config::{Command, Request};
use crate::domain::older::review;
use crate::domain::plan::Plan;
use crate::error::{Error, Finding};

/// Reviews the order of what runs and what is to run; the warnings of what was not compared, or has diverged.
///
/// # Errors
/// `Error::Refused` with every service whose new commit lies behind the one that runs, unless `allow-older` is set.
pub fn check(request: &Request, world: &World, plan: &Plan) -> Result<Vec<String>, Error> {
    // A rollback means to go back.
    if request.allow_older || request.command == Command::Rollback {
        return Ok(Vec::new());
    }
    let review = review(plan, &world.compared, &world.sources.unread);
    if review.behind.is_empty() {
        return Ok(review.warnings);
    }
    let way_out = "release a newer commit; to go back on purpose: the `rollback` command, or `allow-older: true`";
    let findings = review.behind.into_iter().map(|(name, what)| Finding::new(name.as_str(), what, way_out));
    Err(Error::Refused(findings.collect()))
}
