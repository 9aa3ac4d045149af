//! The keys of `services/<name>.yml`: one table for the reader, the JSON Schema and the reference (CONTRACT 4).

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// One text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// An HTTP status.
    Status,
    /// `http://…` or `https://…`.
    Url,
    /// Texts, in order.
    List,
    /// Names of other services, each once.
    Names,
    /// Texts by name.
    Map,
    /// A map with keys of its own.
    Keys(&'static [Key]),
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// It must be there.
    pub is_required: bool,
    /// What holds without it, in words or as a value.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn required(name: &'static str, holds: Holds, meaning: &'static str) -> Key {
    Key { name, holds, is_required: true, default: "", meaning }
}

const fn optional(name: &'static str, holds: Holds, default: &'static str, meaning: &'static str) -> Key {
    Key { name, holds, is_required: false, default, meaning }
}

/// Every key; any other is an error.
pub const KEYS: &[Key] = &[
    required("name", Holds::Text, "the service's name, equal to the file's"),
    required("repo", Holds::Text, "its repository, without the owner: that is DEPLOY_GITHUB_OWNER"),
    optional("dockerfile", Holds::Text, "Dockerfile", "path from the repository's root, inside `context`"),
    optional("context", Holds::Text, ".", "folder that is built, from the repository's root"),
    optional("test_target", Holds::Text, "none", "stage of the Dockerfile that is built first; when it fails, so does the build"),
    required("ecr_repo", Holds::Text, "its repository in ECR"),
    optional("needs", Holds::Names, "none", "services that must be healthy before it is updated"),
    optional("ecs_service", Holds::Text, "`name`", "its name in ECS; {env} is replaced"),
    optional("container", Holds::Text, "`name`", "the container that is changed; no other is"),
    optional("paths", Holds::List, "every file", "globs: only changes to these files count; `!docs/**` takes files out again"),
    optional("health", Holds::Keys(HEALTH), "none", "its smoke test; without one, ECS's health alone counts"),
    optional("migrate", Holds::Keys(MIGRATE), "none", "a one-off task, before the first service is updated"),
    optional("config", Holds::List, "none", "keys of environments/<env>.env that the container gets"),
    optional("secrets", Holds::Map, "none", "variable: name in Secrets Manager, ARN, or ARN:json-key::; {env} is replaced"),
    optional("release_notes", Holds::Boolean, "false", "its commits are told in the release notes"),
    optional("runbook", Holds::Url, "none", "page that failures link to"),
];

/// The keys of `health`: `path` or `url`.
pub const HEALTH: &[Key] = &[
    optional("path", Holds::Text, "none", "joined with DEPLOY_BASE_URL"),
    optional("url", Holds::Url, "none", "an absolute address instead of `path`; {service} and {env} are replaced"),
    optional("expect_status", Holds::Status, "200", "the status of a good answer"),
    optional("version_field", Holds::Text, "none", "field of the JSON answer that holds the version; it is compared"),
];

/// The keys of `migrate`.
pub const MIGRATE: &[Key] = &[
    required("command", Holds::List, "the command, a word an entry"),
    optional("irreversible", Holds::Boolean, "false", "the service and all that need it are not taken back when a release fails"),
];
