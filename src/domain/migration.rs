//! A one-off task before the update: once for each commit and environment, only where the image changes (CONTRACT 5.9).

use super::image::Image;
use super::names::Digest;
use super::service::Service;
use super::smoke::Accepted;

/// A migration that belongs to a planned change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedMigration {
    /// The container's command.
    pub command: Vec<String>,
    /// The version before it can no longer run afterwards.
    pub irreversible: bool,
    /// The image's tag that says it has been run: `migrated-<env>-<commit>`.
    pub mark: String,
    /// The image bears the mark.
    pub is_done: bool,
}

impl PlannedMigration {
    /// The migration of a service whose image changes.
    pub fn of(service: &Service, environment: &str, image: &Image, accepted: &Accepted) -> Option<Self> {
        let migration = service.migrate.as_ref()?;
        // An image without a commit is known by its content.
        let commit = accepted.commits.first().map_or_else(|| content(&image.digest), |commit| commit.as_str().to_owned());
        let mark = format!("migrated-{environment}-{commit}");
        // An image may bear several commits; the migration of any of them is this one.
        let commits = accepted.commits.iter().map(|commit| commit.as_str().to_owned()).chain([content(&image.digest)]);
        let is_done = commits.map(|commit| format!("migrated-{environment}-{commit}")).any(|mark| image.tags.contains(&mark));
        Some(Self { command: migration.command.clone(), irreversible: migration.irreversible, mark, is_done })
    }
}

fn content(digest: &Digest) -> String {
    digest.as_str().trim_start_matches("sha256:").chars().take(40).collect()
}
