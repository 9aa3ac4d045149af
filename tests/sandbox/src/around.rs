//! What the ECS scheduler sees of the rest of the world while it moves one service.

use crate::ecr::Ecr;
use crate::ecs::Definition;
use crate::ids::Ids;
use crate::logs::Logs;
use crate::secrets::Secrets;

/// The surroundings of a service at one instant.
pub(crate) struct Around<'a> {
    pub(crate) now: f64,
    pub(crate) ids: &'a mut Ids,
    pub(crate) ecr: &'a Ecr,
    pub(crate) secrets: &'a Secrets,
    pub(crate) logs: &'a mut Logs,
    pub(crate) definitions: &'a [Definition],
}

impl<'a> Around<'a> {
    /// A definition by ARN.
    pub(crate) fn definition(&self, arn: &str) -> Option<&'a Definition> {
        self.definitions.iter().find(|definition| definition.arn == arn)
    }
}
