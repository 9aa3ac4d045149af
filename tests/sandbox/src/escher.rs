//! Escher itself: seven services that run v2.15.0, and images of v2.16.0 that wait in ECR.

use serde_json::{Value, json};

use crate::ecr::made_up;
use crate::ecs::{Breaker, Check, Deployment, Health, RollbackId, Rollout, Service, Timing};
use crate::github::Workflow;
use crate::world::World;

/// When the running release was deployed: three days before the sandbox's start.
const DEPLOYED_AT: f64 = -259_200.0;

/// A service that is to be there: it runs one release, and the next one waits in ECR.
#[derive(Debug, Clone)]
pub struct Blueprint<'a> {
    /// Its name; its ECR repository is `escher-<name>`.
    pub name: &'a str,
    /// Its repository's name on GitHub.
    pub repo: &'a str,
    /// How many tasks there should be.
    pub desired: u32,
    /// Who checks them.
    pub check: Check,
    /// The port that it listens on.
    pub port: u16,
    /// How long things take.
    pub timing: Timing,
}

/// One of the seven (reference page: name, repository, ECR repository `escher-<name>`); `slower`, in seconds, makes its timing
/// its own.
const fn one(name: &'static str, repo: &'static str, desired: u32, check: Check, port: u16, slower: f64) -> Blueprint<'static> {
    let timing = Timing { boot: 12.0 + slower, check: 10.0 + slower / 2.0, ..Timing::USUAL };
    Blueprint { name, repo, desired, check, port, timing }
}

const SERVICES: [Blueprint<'static>; 7] = [
    one("asset-store", "v4-asset-store-go", 1, Check::Container, 8081, 0.0),
    one("context-engine", "v4-context-engine", 1, Check::Container, 8082, 2.0),
    one("analysis-agent", "v2-analysis-agent-go", 2, Check::Container, 8083, 1.0),
    one("playbook-agent", "v2-playbook-agent-go", 1, Check::Container, 8084, 0.5),
    one("integrations-agent", "v4-integrations-agent-go", 1, Check::Container, 8085, 1.5),
    one("gateway", "v2-gateway-service-java", 2, Check::TargetGroup, 8080, 4.0),
    one("autoresolver", "v2-autoresolver-java", 1, Check::Container, 8086, 3.0),
];

impl World {
    /// The seven services of an environment at v2.15.0, steady, with images of v2.16.0 in ECR (`-dev` and `-stg` follow
    /// the version in `dev` and `staging`).
    pub fn escher(environment: &str) -> World {
        let mut world = World::empty(environment);
        world.add_environment(environment);
        world
    }

    /// Adds the seven services of another environment to the same account. Lookups by a service's name alone find the
    /// environment that was there first.
    pub fn add_environment(&mut self, environment: &str) {
        let suffix = suffix(environment);
        for blueprint in &SERVICES {
            self.add_service(environment, blueprint);
        }
        self.publish("escher-dbai/v3-escher-deployment", "v3-escher-deployment", suffix);
        self.install_suite(suffix);
        self.anthropic_secret(environment);
    }

    /// Adds a service as the seven are: v2.15.0 runs, v2.16.0 waits in ECR and is a tag of its repository.
    pub fn add_service(&mut self, environment: &str, blueprint: &Blueprint<'_>) {
        let cluster = format!("escher-{environment}");
        if !self.ecs.clusters.contains(&cluster) {
            self.ecs.clusters.push(cluster.clone());
        }
        let (repository, suffix) = (format!("escher-{}", blueprint.name), suffix(environment));
        self.push_at(&repository, &format!("2.15.0{suffix}"), DEPLOYED_AT - 1200.0);
        self.push_at(&repository, &format!("2.16.0{suffix}"), -600.0);
        self.publish(&format!("escher-dbai/{}", blueprint.repo), &repository, suffix);
        self.install(blueprint, environment, &cluster, &format!("2.15.0{suffix}"));
    }

    /// The end-to-end suite, which is released with the rest.
    fn install_suite(&mut self, suffix: &str) {
        let repository = "escher-dbai/v3-testing-framework";
        self.publish(repository, "v3-testing-framework", suffix);
        let workflow = Workflow::new("E2E", &["environment", "suite", "version", "correlation_id"]);
        self.github.workflows.entry((repository.to_owned(), "e2e.yml".to_owned())).or_insert(workflow);
    }

    /// Both releases as tags on GitHub, at the commits and trees of their images, and branches at the newer one. Branches that
    /// another environment brought stay where they are.
    fn publish(&mut self, repository: &str, image: &str, suffix: &str) {
        let git = self.github.repository_mut(repository);
        for number in ["2.15.0", "2.16.0"] {
            let version = format!("{number}{suffix}");
            git.tag(&format!("v{version}"), &made_up("commit", image, &version), &made_up("tree", image, &version));
        }
        let newest = made_up("commit", image, &format!("2.16.0{suffix}"));
        for branch in ["develop", "main"] {
            git.branches.entry(branch.to_owned()).or_insert_with(|| newest.clone());
        }
    }

    fn push_at(&mut self, repository: &str, version: &str, at: f64) {
        self.ecr.push(repository, version, at);
    }

    /// Registers the definition and lets the service be what it would be after days of quiet.
    fn install(&mut self, blueprint: &Blueprint<'_>, environment: &str, cluster: &str, version: &str) {
        let name = blueprint.name;
        let secrets = ["database-url", "api-key"].map(|key| self.secret(&format!("escher/{environment}/{name}/{key}")));
        let body = definition(self, blueprint, environment, version, &secrets);
        let (prefix, by) = (self.arn_prefix(), format!("arn:aws:iam::{}:role/terraform", self.account));
        let Ok(registered) = self.ecs.register(body, &prefix, &by, DEPLOYED_AT).map(|it| it.arn.clone()) else { return };
        let service = service(self, blueprint, cluster, &registered);
        self.ecs.services.push(service);
        let index = self.ecs.services.len() - 1;
        let (movers, mut around) = self.around();
        around.now = DEPLOYED_AT;
        if let Some(service) = movers.services.get_mut(index) {
            service.be_steady(&mut around);
        }
    }
}

/// What an environment's versions end in.
fn suffix(environment: &str) -> &'static str {
    match environment {
        "dev" => "-dev",
        "staging" => "-stg",
        _ => "",
    }
}

impl Service {
    /// As if its only deployment had been completed some time ago.
    fn be_steady(&mut self, around: &mut crate::around::Around<'_>) {
        let now = around.now;
        let id = format!("ecs-svc/{}", around.ids.revision());
        self.record(&id, &self.task_definition.clone(), now, around.ids);
        let mut deployment = Deployment::begin(id.clone(), self.task_definition.clone(), now, 0.0);
        deployment.rollout = Rollout::Completed;
        deployment.reason = format!("ECS deployment {id} completed.");
        deployment.desired_count = self.desired_count;
        deployment.opened = true;
        self.deployments.push(deployment);
        let count = self.desired_count as usize;
        if count > 0 {
            self.start(&id, count, 0, around);
        }
        for task in &mut self.tasks {
            task.last_status = "RUNNING";
            task.started_at = Some(now + self.timing.boot);
            task.health = Health::Healthy;
            task.was_healthy = true;
            task.next = None;
        }
        let images = self.tasks.first().map(|task| task.containers.clone()).unwrap_or_default();
        if let Some(revision) = self.revisions.first_mut() {
            revision.images = images.into_iter().map(|it| (it.name, it.image, Some(it.digest))).collect();
        }
        let done = now + self.timing.to_completed(&self.check);
        if let Some(record) = self.record_mut(&id) {
            record.finish(done, "SUCCESSFUL");
        }
        if let Some(deployment) = self.deployment_mut(&id) {
            deployment.updated_at = done;
        }
        self.event(done + 0.005, &format!("(deployment {id}) deployment completed."), around.ids);
        self.event(done + 0.006, "has reached a steady state.", around.ids);
        self.unsteady = false;
    }
}

fn service(world: &mut World, blueprint: &Blueprint<'_>, cluster: &str, task_definition: &str) -> Service {
    let (name, region, account) = (blueprint.name, world.region.clone(), world.account.clone());
    let timing = blueprint.timing;
    Service {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        arn: format!("{}service/{cluster}/{name}", world.arn_prefix()),
        desired_count: blueprint.desired,
        check: blueprint.check,
        breaker: Breaker { enable: true, rollback: true },
        rollback_id: RollbackId::Reused,
        strategy: "ROLLING".to_owned(),
        bake: 0.0,
        timing,
        status: "ACTIVE".to_owned(),
        controller: "ECS".to_owned(),
        container: name.to_owned(),
        port: blueprint.port,
        target_group: format!("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{cluster}-{name}/{}", world.ids.hex(16)),
        task_definition: task_definition.to_owned(),
        network: json!({"awsvpcConfiguration": {
            "subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f6071829"],
            "securityGroups": ["sg-0c3d4e5f607182930"],
            "assignPublicIp": "DISABLED"
        }}),
        created_at: -10_000_000.0,
        deployments: Vec::new(),
        tasks: Vec::new(),
        events: Vec::new(),
        records: Vec::new(),
        revisions: Vec::new(),
        history: Vec::new(),
        stale: None,
        unsteady: false,
        checked_as: blueprint.check,
        turn: 0,
    }
}

/// The health check of a container.
pub(crate) fn health_check(port: u16) -> Value {
    json!({
        "command": ["CMD-SHELL", format!("wget -qO- http://127.0.0.1:{port}/health || exit 1")],
        "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 15
    })
}

/// The running definition, with things in it that a typed client would lose.
fn definition(world: &World, blueprint: &Blueprint<'_>, environment: &str, version: &str, secrets: &[String; 2]) -> Value {
    let name = blueprint.name;
    let family = format!("escher-{environment}-{name}");
    let iam = format!("arn:aws:iam::{}:role", world.account);
    json!({
        "family": family,
        "containerDefinitions": [main_container(world, blueprint, environment, version, secrets), sidecar(world, &family)],
        "taskRoleArn": format!("{iam}/{family}-task"),
        "executionRoleArn": format!("{iam}/escher-{environment}-execution"),
        "networkMode": "awsvpc",
        "volumes": [],
        "placementConstraints": [],
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "enableFaultInjection": true,
        // Nothing of the kind exists yet. Whoever copies a definition must copy what comes next year.
        "futureSchedulingHints": {"spread": "zone", "weights": [1, 2.5], "nested": {"keep": null}},
        "tags": [{"key": "team", "value": "escher"}, {"key": "environment", "value": environment}]
    })
}

fn main_container(world: &World, blueprint: &Blueprint<'_>, environment: &str, version: &str, secrets: &[String; 2]) -> Value {
    let repository = format!("escher-{}", blueprint.name);
    let digest = world.ecr.repository(&repository).and_then(|it| it.image(&format!("v{version}"))).map(|it| it.digest.clone());
    let mut container = json!({
        "name": blueprint.name,
        "image": format!("{}/{repository}@{}", world.ecr.host(), digest.unwrap_or_default()),
        "cpu": 448,
        "memoryReservation": 896,
        "portMappings": [{"containerPort": blueprint.port, "hostPort": blueprint.port, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
        "essential": true,
        "environment": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "ESCHER_ENV", "value": environment}],
        "secrets": [
            {"name": "DATABASE_URL", "valueFrom": secrets[0]},
            {"name": "API_KEY", "valueFrom": secrets[1]}
        ],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        "stopTimeout": 30,
        "dockerLabels": {
            "a": "",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.revision": made_up("commit", &repository, version),
            "org.opencontainers.image.source": format!("https://github.com/escher-dbai/{}", blueprint.repo)
        },
        "logConfiguration": logs(world, &format!("escher-{environment}-{}", blueprint.name), "ecs"),
        "futureRestartBudget": 3
    });
    if blueprint.check == Check::Container {
        container["healthCheck"] = health_check(blueprint.port);
    }
    container
}

fn sidecar(world: &World, family: &str) -> Value {
    json!({
        "name": "log-router",
        "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.2",
        "cpu": 64,
        "memoryReservation": 128,
        "portMappings": [],
        "essential": false,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "logConfiguration": logs(world, family, "router")
    })
}

fn logs(world: &World, family: &str, prefix: &str) -> Value {
    json!({
        "logDriver": "awslogs",
        "options": {"awslogs-group": format!("/ecs/{family}"), "awslogs-region": world.region, "awslogs-stream-prefix": prefix}
    })
}
