//! What the binary can be asked to do.

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The whole story.
    Run,
    /// Prints what `run` would do.
    Plan,
    /// The plan, with a matrix for a build job.
    Detect,
    /// Builds, tests and pushes the images of the plan.
    Build,
    /// The rest of `run` once the images exist.
    Deploy,
    /// Health checks of the services in scope.
    Smoke,
    /// Hands over to the end-to-end suite and waits.
    E2e,
    /// Notes between two releases.
    ReleaseNotes,
    /// Puts the images of an earlier release back.
    Rollback,
    /// What runs where.
    Status,
    /// Every precondition of `run`.
    Verify,
    /// Prints the policies of the deploy role.
    Iam,
    /// Prints the JSON Schema of `services/*.yml`.
    Schema,
}

/// The commands by name.
pub const COMMANDS: &[(&str, Command)] = &[
    ("run", Command::Run),
    ("plan", Command::Plan),
    ("detect", Command::Detect),
    ("build", Command::Build),
    ("deploy", Command::Deploy),
    ("smoke", Command::Smoke),
    ("e2e", Command::E2e),
    ("release-notes", Command::ReleaseNotes),
    ("rollback", Command::Rollback),
    ("status", Command::Status),
    ("verify", Command::Verify),
    ("iam", Command::Iam),
    ("schema", Command::Schema),
];

impl Command {
    /// What it does, for help and reference.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Run => "plan, build what has changed, deploy in order with smoke tests, E2E suite, release notes, Slack (default)",
            Self::Plan => "print what `run` would do and why",
            Self::Detect => "plan, and give a build job its matrix (output `matrix`)",
            Self::Build => "build, test and push the images of the plan",
            Self::Deploy => "as run, once the images are in the registry",
            Self::Smoke => "ask the running services for their health and version",
            Self::E2e => "hand over to the end-to-end suite and wait for it",
            Self::ReleaseNotes => "notes between two releases: a GitHub Release, and Slack",
            Self::Rollback => "put the images of an earlier release (tag; default: the one before) back, in reverse order",
            Self::Status => "what runs where, every environment side by side (`--json`: for machines)",
            Self::Verify => "check every precondition of `run` and report all findings",
            Self::Iam => "print the trust policy and the least-privilege policy for the deploy role",
            Self::Schema => "print the JSON Schema of services/*.yml",
        }
    }

    /// What it changes in the world; none where it only reads or prints.
    pub fn changes(self) -> &'static str {
        match self {
            Self::Run | Self::Deploy | Self::Rollback => "yes",
            Self::Build => "ECR",
            Self::E2e => "dispatches",
            Self::ReleaseNotes => "publishes",
            Self::Plan | Self::Detect | Self::Smoke | Self::Status | Self::Verify | Self::Iam | Self::Schema => "no",
        }
    }

    /// It finds its release by itself where no tag is given.
    pub(super) fn may_lack_tag(self) -> bool {
        matches!(self, Self::Smoke | Self::Rollback | Self::Verify | Self::Iam | Self::E2e | Self::Status)
    }

    /// It deploys nothing, so it needs no address to ask a deployed service at.
    pub(super) fn does_without_health(self) -> bool {
        matches!(self, Self::Iam | Self::E2e | Self::ReleaseNotes | Self::Status)
    }

    /// It asks GitHub which commits the release means.
    pub fn reads_sources(self) -> bool {
        matches!(self, Self::Run | Self::Plan | Self::Detect | Self::Build | Self::Deploy | Self::Verify)
    }

    /// It has something to ask GitHub.
    pub fn asks_github(self) -> bool {
        self.reads_sources() || matches!(self, Self::E2e | Self::ReleaseNotes)
    }

    /// It hands over to the suite, and tells people of the release.
    pub fn goes_on_to_the_suite(self) -> bool {
        matches!(self, Self::Run | Self::Deploy)
    }

    /// It may build what is missing.
    pub fn builds(self) -> bool {
        self.reads_sources() && self != Self::Deploy
    }
}
