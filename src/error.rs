//! What ends a run before anything of it is deployed: what the user reads, the exit code, and that nothing has changed.
//!
//! Failures of single services are no errors: they stand on the board (`domain::board`).

use std::fmt;

use crate::config::problem::Problem;
use crate::domain::outcome::{RunResult, exit};

/// Something that is missing or not allowed, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: a service, a role, a repository.
    pub subject: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
}

impl Finding {
    /// Makes a finding.
    pub fn new(subject: impl Into<String>, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { subject: subject.into(), what: what.into(), way_out: way_out.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.what)?;
        if self.way_out.is_empty() { Ok(()) } else { write!(f, "\n    → {}", self.way_out.replace('\n', "\n      ")) }
    }
}

/// A migration or a build that failed, with its last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStep {
    /// Which, why, and what to do.
    pub finding: Finding,
    /// The log's last lines, oldest first.
    pub log: Vec<String>,
}

impl FailedStep {
    fn lines(&self) -> Vec<String> {
        let log = Some(&self.log).filter(|log| !log.is_empty());
        let log = log.map(|log| format!("{}: the log's last lines:\n  | {}", self.finding.subject, log.join("\n  | ")));
        [self.finding.to_string()].into_iter().chain(log).collect()
    }
}

/// Why a run ended before it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The configuration or the command line is wrong.
    Configuration(Vec<Problem>),
    /// Credentials, permissions, missing resources.
    Refused(Vec<Finding>),
    /// Images that the release needs are not in the registry.
    MissingImages(Vec<Finding>),
    /// Images could not be built, tested, pushed or named.
    Build(Vec<FailedStep>),
    /// Images could not be given their names.
    Naming(Vec<Finding>),
    /// A migration failed; no service was updated.
    Migration {
        /// Which, and why.
        failed: FailedStep,
        /// It, or one before it, has begun: data may be other than before.
        has_begun: bool,
    },
    /// SIGINT or SIGTERM while images were built.
    CancelledBuilding,
    /// SIGINT or SIGTERM before anything was begun.
    Cancelled,
    /// SIGINT or SIGTERM while migrations ran.
    CancelledMigrating,
}

impl Error {
    /// One finding that refuses the run.
    pub fn refused(subject: impl Into<String>, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self::Refused(vec![Finding::new(subject, what, way_out)])
    }

    /// What was found, where the error consists of findings.
    pub fn findings(self) -> Vec<Finding> {
        match self {
            Self::Refused(findings) | Self::MissingImages(findings) | Self::Naming(findings) => findings,
            Self::Build(failed) => failed.into_iter().map(|failed| failed.finding).collect(),
            Self::Migration { failed, .. } => vec![failed.finding],
            Self::Configuration(_) | Self::Cancelled | Self::CancelledBuilding | Self::CancelledMigrating => Vec::new(),
        }
    }

    /// For the shell (CONTRACT 7).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => exit::USAGE,
            Self::Refused(_) => exit::REFUSED,
            Self::MissingImages(_) | Self::Build(_) | Self::Naming(_) => exit::IMAGE,
            Self::Migration { .. } => exit::MIGRATION,
            Self::Cancelled | Self::CancelledBuilding | Self::CancelledMigrating => exit::CANCELLED,
        }
    }

    /// For the output `result`.
    pub fn result(&self) -> RunResult {
        match self {
            Self::Configuration(_) | Self::Refused(_) => RunResult::Refused,
            Self::MissingImages(_) | Self::Build(_) | Self::Naming(_) | Self::Migration { .. } => RunResult::Failed,
            Self::Cancelled | Self::CancelledBuilding | Self::CancelledMigrating => RunResult::Cancelled,
        }
    }

    /// The headline.
    pub fn headline(&self) -> String {
        let many = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        match self {
            Self::Configuration(problems) => format!("refused: {} in the configuration", many(problems.len(), "problem")),
            Self::Refused(findings) => format!("refused: {}", many(findings.len(), "finding")),
            Self::MissingImages(findings) => format!("failed: {} missing in the registry", many(findings.len(), "image")),
            Self::Naming(findings) => format!("failed: {} could not be named in the registry", many(findings.len(), "image")),
            Self::Build(failed) => {
                let names: Vec<&str> = failed.iter().map(|failed| failed.finding.subject.as_str()).collect();
                format!("failed: the build of {}", names.join(", "))
            }
            Self::Migration { failed, .. } => format!("failed: the migration of {}", failed.finding.subject),
            Self::CancelledBuilding => "cancelled while images were built".to_owned(),
            Self::CancelledMigrating => "cancelled while a migration ran".to_owned(),
            Self::Cancelled => "cancelled before anything was begun".to_owned(),
        }
    }

    /// The problems, one text each.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Configuration(problems) => problems.iter().map(ToString::to_string).collect(),
            Self::Refused(findings) | Self::MissingImages(findings) | Self::Naming(findings) => {
                findings.iter().map(ToString::to_string).collect()
            }
            Self::Build(failed) => failed.iter().flat_map(FailedStep::lines).collect(),
            Self::Migration { failed, .. } => failed.lines(),
            Self::Cancelled | Self::CancelledBuilding | Self::CancelledMigrating => Vec::new(),
        }
    }

    /// What changed in the world.
    pub fn changed(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "nothing was contacted, nothing has changed",
            Self::Refused(_) | Self::MissingImages(_) | Self::Cancelled => "nothing has changed",
            Self::Build(_) => "images may have been pushed to the registry; nothing was migrated or deployed, every service runs as before",
            Self::Naming(_) => {
                "images may have been pushed, and others named, in the registry; nothing was migrated or deployed, every service runs as before"
            }
            Self::CancelledBuilding => "images may have been pushed to the registry; nothing was deployed, and the next run finds them",
            Self::CancelledMigrating => "the migration's task goes on by itself, and the next run takes it up; no service was updated",
            Self::Migration { has_begun: true, .. } => {
                "a migration ran and may have changed data; no service was updated, every service runs as before"
            }
            Self::Migration { has_begun: false, .. } => {
                "this run has begun no migration; no service was updated, every service runs as before"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        for line in self.lines() {
            writeln!(f, "  {}", line.replace('\n', "\n  "))?;
        }
        write!(f, "{}", self.changed())
    }
}

impl std::error::Error for Error {}
