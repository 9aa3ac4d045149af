//! The deploy role as IAM takes it: who may assume it, and the least that it must be allowed. Nothing is asked of AWS here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::environment::Environment;
use crate::domain::service::{Service, secret_id};

/// GitHub's OIDC provider, as IAM calls it.
const PROVIDER: &str = "token.actions.githubusercontent.com";
/// Stands where the account isn't known.
const ACCOUNT: &str = "ACCOUNT";

/// What an action reaches
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The services in scope, and those that they need.
    Watched,
    /// The services in scope.
    Services,
    /// They and their deployments: the action is checked against both.
    Deployments,
    /// Any revision of any task definition: families stand in no file of ours.
    Definitions,
    /// The same, but only while one is registered.
    NewDefinitions,
    /// The tasks of the cluster.
    Tasks,
    /// Everything of the cluster: the action takes no narrower resource.
    Cluster,
    /// Roles that are handed to tasks: which ones stands in the task definitions.
    TaskRoles,
    /// The definitions that migrations run with; nothing where no service has one.
    Migrations,
    /// The repositories of the images.
    Repositories,
    /// The secrets that the services name.
    Secrets,
    /// The secrets that the release itself reads: the GitHub App's key.
    OwnSecrets,
    /// The logs of tasks: which groups stands in the task definitions.
    Logs,
    /// The action takes no resource.
    Anything,
}

/// Every call that the product makes, and what it reaches. `sts:GetCallerIdentity` needs no permission. A story holds this
/// table against what the sandbox saw.
const ACTIONS: &[(&str, Reach)] = &[
    ("ecs:DescribeServices", Reach::Watched),
    ("ecs:UpdateService", Reach::Services),
    ("ecs:ListServiceDeployments", Reach::Services),
    ("ecs:StopServiceDeployment", Reach::Deployments),
    ("ecs:RegisterTaskDefinition", Reach::Definitions),
    ("ecs:TagResource", Reach::NewDefinitions),
    ("iam:PassRole", Reach::TaskRoles),
    ("ecs:ListTasks", Reach::Cluster),
    ("ecs:DescribeTasks", Reach::Tasks),
    ("ecs:RunTask", Reach::Migrations),
    ("ecr:DescribeRepositories", Reach::Repositories),
    ("ecr:DescribeImages", Reach::Repositories),
    ("ecr:BatchGetImage", Reach::Repositories),
    ("ecr:PutImage", Reach::Repositories),
    // docker's pushes: the registry makes these calls in the role's name
    // (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>).
    ("ecr:BatchCheckLayerAvailability", Reach::Repositories),
    ("ecr:InitiateLayerUpload", Reach::Repositories),
    ("ecr:UploadLayerPart", Reach::Repositories),
    ("ecr:CompleteLayerUpload", Reach::Repositories),
    ("ecr:GetAuthorizationToken", Reach::Anything),
    ("secretsmanager:DescribeSecret", Reach::Secrets),
    ("secretsmanager:GetSecretValue", Reach::OwnSecrets),
    ("logs:GetLogEvents", Reach::Logs),
    ("ecs:DescribeTaskDefinition", Reach::Anything),
    ("elasticloadbalancing:DescribeTargetHealth", Reach::Anything),
];

/// What only the owner of the account knows.
const NOTES: &str = "\
Narrow what no configuration file knows: `role/*` to the task and execution roles, `task-definition/*` to the families, and
`log-group:*` to the groups that the task definitions name. A repository made since 2026-07-15 sends ids in its `sub`
(repo:owner@ID/name@ID:…): a run that is refused the role prints the `sub` that the trust policy needs.";

/// The role's subject: one environment and the services that are deployed there.
#[derive(Clone, Debug)]
pub struct DeployRole<'a> {
    /// Where.
    pub environment: &'a Environment,
    /// The services in scope.
    pub services: Vec<&'a Service>,
    /// They, those that they need, and those that are left out this time: a run looks at all of them.
    pub watched: Vec<&'a Service>,
    /// The `aud` of the tokens.
    pub audience: &'a str,
}

impl DeployRole<'_> {
    /// Both documents under their headings.
    pub fn text(&self) -> String {
        let environment = &self.environment.name;
        let (trust, policy) = (self.trust_policy(), self.policy());
        format!(
            "# Trust policy of the deploy role for {environment}\n{trust:#}\n\n\
             # Least-privilege policy of the deploy role for {environment}\n{policy:#}\n\n# Notes\n{NOTES}"
        )
    }

    /// Who may assume the role: jobs of these repositories that run in this GitHub environment, and no other.
    fn trust_policy(&self) -> Value {
        let environment = self.environment;
        let names = [&environment.orchestrator].into_iter().chain(self.services.iter().map(|service| &service.repo));
        let mut subjects: Vec<String> = Vec::new();
        for name in names {
            let subject = format!("repo:{}:environment:{}", environment.repository(name), environment.name);
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:{}:iam::{}:oidc-provider/{PROVIDER}", self.partition(), self.account())},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{PROVIDER}:aud"): self.audience, format!("{PROVIDER}:sub"): subjects}}
        }]})
    }

    /// What the role must be allowed: actions that reach the same, under the same condition, share a statement.
    fn policy(&self) -> Value {
        let mut statements: Vec<(Vec<&str>, Vec<String>, Value)> = Vec::new();
        for (action, reach) in ACTIONS {
            let (resources, condition) = (self.resources(*reach), self.condition(*reach));
            let same = statements.iter_mut().find(|(_, others, other)| *others == resources && *other == condition);
            match same {
                Some((actions, ..)) => actions.push(action),
                // Without secrets in the configuration none is looked at.
                None if resources.is_empty() => {}
                None => statements.push((vec![action], resources, condition)),
            }
        }
        let statements = statements.into_iter().map(|(actions, resources, condition)| {
            let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
            if !condition.is_null() {
                statement["Condition"] = condition;
            }
            statement
        });
        json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()})
    }

    fn resources(&self, reach: Reach) -> Vec<String> {
        let cluster = &self.environment.cluster;
        let ecs_name = |service: &&Service| service.ecs_name(&self.environment.name);
        let service = |service: &&Service| self.ecs(&format!("service/{cluster}/{}", ecs_name(service)));
        match reach {
            Reach::Watched => self.watched.iter().map(service).collect(),
            Reach::Services => self.services.iter().map(service).collect(),
            Reach::Deployments => {
                let deployments = |service: &&Service| self.ecs(&format!("service-deployment/{cluster}/{}/*", ecs_name(service)));
                self.services.iter().map(service).chain(self.services.iter().map(deployments)).collect()
            }
            Reach::Migrations if !self.has_migrations() => Vec::new(),
            Reach::Definitions | Reach::NewDefinitions | Reach::Migrations => vec![self.ecs("task-definition/*:*")],
            Reach::Tasks => vec![self.ecs(&format!("task/{cluster}/*"))],
            Reach::TaskRoles => vec![format!("arn:{}:iam::{}:role/*", self.partition(), self.account())],
            Reach::Repositories => self.repositories(),
            Reach::Secrets => self.secrets(),
            Reach::OwnSecrets => self.own_secrets().map(|secret| self.secret(secret.clone())).collect(),
            Reach::Logs => vec![self.arn("logs", "log-group:*:log-stream:*")],
            Reach::Cluster | Reach::Anything => vec!["*".to_owned()],
        }
    }

    /// The secrets of this tool itself: the GitHub App's key, and the one for release notes.
    fn own_secrets(&self) -> impl Iterator<Item = &String> {
        let app = self.environment.github_app.iter().map(|(_, secret)| secret);
        app.chain(self.environment.notes.secret.as_ref())
    }

    fn condition(&self, reach: Reach) -> Value {
        match reach {
            Reach::Cluster | Reach::Migrations => {
                json!({"ArnEquals": {"ecs:cluster": self.ecs(&format!("cluster/{}", self.environment.cluster))}})
            }
            Reach::NewDefinitions => json!({"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}),
            Reach::TaskRoles => json!({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}),
            _ => Value::Null,
        }
    }

    fn has_migrations(&self) -> bool {
        self.services.iter().any(|service| service.migrate.is_some())
    }

    fn repositories(&self) -> Vec<String> {
        let environment = self.environment;
        let account = environment.ecr_account_id.as_deref().unwrap_or_else(|| self.account());
        let repositories: BTreeSet<&str> = self.services.iter().map(|service| service.ecr_repo.as_str()).collect();
        let arn = |name: &str| format!("arn:{}:ecr:{}:{account}:repository/{name}", self.partition(), environment.ecr_region);
        repositories.into_iter().map(arn).collect()
    }

    /// Secrets Manager puts a dash and six characters behind a name, and checks the whole.
    fn secrets(&self) -> Vec<String> {
        let references = self.services.iter().flat_map(|service| service.secret_references(&self.environment.name));
        let ids: BTreeSet<String> = references.map(|(_, reference)| secret_id(&reference).0.to_owned()).collect();
        ids.into_iter().map(|id| self.secret(id)).collect()
    }

    fn secret(&self, id: String) -> String {
        match id.starts_with("arn:") {
            true if is_full(&id) => id,
            true => format!("{id}-??????"),
            false => self.arn("secretsmanager", &format!("secret:{id}-??????")),
        }
    }

    fn ecs(&self, resource: &str) -> String {
        self.arn("ecs", resource)
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), self.environment.region, self.account())
    }

    fn account(&self) -> &str {
        self.environment.account().unwrap_or(ACCOUNT)
    }

    /// The part of AWS that the region lies in: the second word of every ARN there.
    fn partition(&self) -> &'static str {
        match self.environment.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

/// A secret's ARN with the six characters at its end.
fn is_full(arn: &str) -> bool {
    arn.rsplit_once('-').is_some_and(|(_, end)| end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
