//! AWS Secrets Manager.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ecs::stamp;
use crate::refusal::{Answer, Refusal, Table, known, text, unknown_operation};

/// Secrets Manager.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The secrets.
    pub entries: Vec<Secret>,
}

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Name.
    pub name: String,
    /// ARN, with six characters of its own at the end.
    pub arn: String,
    /// Its value; `None`: a secret without an AWSCURRENT version, which can be described but not read.
    pub value: Option<String>,
    /// Version id of AWSCURRENT.
    pub version: String,
    /// When it was made, in sandbox seconds.
    pub created_at: f64,
    /// Since when it is marked for deletion.
    pub deleted_at: Option<f64>,
}

impl Secrets {
    pub(crate) fn create(&mut self, name: &str, region: &str, account: &str, now: f64) -> String {
        if let Some(known) = self.entries.iter().find(|secret| secret.name == name) {
            return known.arn.clone();
        }
        let hash = format!("{:x}", Sha256::digest(format!("{region}{account}{name}")));
        let letter = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c };
        let suffix: String = hash.chars().take(6).enumerate().map(letter).collect();
        let arn = format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}");
        self.entries.push(Secret {
            name: name.to_owned(),
            arn: arn.clone(),
            value: Some(format!("value-of-{name}")),
            version: format!("{}-{}-4{}-a{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32]),
            created_at: now,
            deleted_at: None,
        });
        arn
    }

    /// By name, ARN, or ARN without its last six characters.
    pub fn find(&self, id: &str) -> Option<&Secret> {
        let partial = |arn: &str| arn.len() > 7 && arn.get(..arn.len() - 7) == Some(id);
        self.entries.iter().find(|secret| secret.name == id || secret.arn == id || partial(&secret.arn))
    }

    /// Whether a task can be given what `valueFrom` names; other stores than this one are taken on trust.
    pub(crate) fn can_inject(&self, value_from: &str) -> bool {
        if !value_from.starts_with("arn:aws:secretsmanager:") {
            return true;
        }
        // An ARN has seven fields; what follows is ECS's json key, version stage and version id.
        let arn: Vec<&str> = value_from.splitn(8, ':').take(7).collect();
        let found = self.entries.iter().find(|secret| secret.arn == arn.join(":"));
        found.is_some_and(|secret| secret.value.is_some() && secret.deleted_at.is_none())
    }
}

/// An operation on a secret that was found; the sandbox's epoch comes last.
type Operation = fn(&Secret, f64) -> Answer;

/// What this Secrets Manager can do.
pub(crate) const OPERATIONS: Table<Operation, 2> =
    [("DescribeSecret", |secret, epoch| Ok(describe(secret, epoch))), ("GetSecretValue", value)];

/// Carries out one operation.
pub(crate) fn answer(secrets: &Secrets, operation: &str, body: &Value, epoch: f64) -> Answer {
    let perform = known(&OPERATIONS, operation).ok_or_else(|| unknown_operation("Secrets Manager", operation))?;
    let found = text(body, "SecretId").and_then(|id| secrets.find(id));
    perform(found.ok_or_else(|| Refusal::bad("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))?, epoch)
}

fn describe(secret: &Secret, epoch: f64) -> Value {
    let mut wire = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": stamp(epoch, secret.created_at),
        "LastChangedDate": stamp(epoch, secret.created_at),
        "Tags": []
    });
    if secret.value.is_some() {
        wire["VersionIdsToStages"] = json!({ secret.version.clone(): ["AWSCURRENT"] });
    }
    if let Some(at) = secret.deleted_at {
        wire["DeletedDate"] = json!(stamp(epoch, at));
    }
    wire
}

fn value(secret: &Secret, epoch: f64) -> Answer {
    if secret.deleted_at.is_some() {
        let text = "You can't perform this operation on the secret because it was marked for deletion.";
        return Err(Refusal::bad("InvalidRequestException", text));
    }
    let value = secret.value.as_ref().ok_or_else(|| {
        let text = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
        Refusal::bad("ResourceNotFoundException", text)
    })?;
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "SecretString": value,
        "VersionId": secret.version,
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": stamp(epoch, secret.created_at)
    }))
}
