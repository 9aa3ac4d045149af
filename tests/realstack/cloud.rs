//! Escher on an AWS that nobody here wrote: services are containers on the real engine, behind published ports.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::runner::Runner;
use crate::stack::{HERE, Job, Ran, Stack, command, publish};

/// Old containers are gone, and new ones are there, within this time.
const SOON: Duration = Duration::from_secs(20);

/// The whole town: what is really there, and the jobs that are run on it.
pub(crate) struct Cloud {
    pub(crate) stack: Stack,
    pub(crate) job: Job,
    runner: Runner,
}

/// A container that runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) image: String,
    /// Where the engine has published its port.
    pub(crate) address: String,
}

/// What a service answers to `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: String,
}

impl Cloud {
    /// Dev with seven placeholders, and source of the first release; nothing of it is built.
    pub(crate) async fn with_source(tag: &str) -> Self {
        let (stack, commits) = Stack::with_repositories(tag);
        let mut world = stack.world();
        world.add_environment("staging");
        world.ecr.repositories.iter_mut().for_each(|it| it.images.clear());
        // The credentials are the other AWS's.
        world.sts.takes_any_key = true;
        publish(&mut world, tag, &commits);
        let job = stack.job(world, tag).await;
        let configuration = job.folder.path().join("configuration");
        with_secret_and_migration(&configuration);
        let runner = Runner::new(job.folder.path(), &stack.variables, &job.binary, &configuration);
        let mut cloud = Self { stack, job, runner };
        cloud.reach();
        cloud.make("dev").await;
        cloud
    }

    /// AWS is the other one but for ECR, whose images are in the real registry.
    fn reach(&mut self) {
        let aws = self.stack.variables["AWS_URL"].clone();
        let own = self.job.sandbox.url().to_owned();
        let set = [
            ("AWS_ENDPOINT_URL", aws.as_str()),
            ("AWS_ENDPOINT_URL_ECR", own.as_str()),
            ("DEPLOY_POLL_SECONDS", "0.2"),
            ("DEPLOY_SMOKE_TIMEOUT_SECONDS", "4"),
        ];
        for (name, value) in set {
            self.job.set(name, value);
        }
    }

    /// Makes an environment, as infrastructure code does: with the policies that the binary prints. The jobs go there from now on.
    pub(crate) async fn make(&mut self, environment: &str) {
        self.enter(environment);
        let before = self.job.variables.clone();
        ["GITHUB_REF_NAME", "GITHUB_REF_TYPE"].iter().for_each(|name| drop(self.job.variables.remove(*name)));
        let child = self.job.set("INPUT_ENVIRONMENT", environment).start("iam");
        let policies = self.job.ended(child).await;
        self.job.variables = before;
        policies.ends(0, "success");
        let mut python = command(Path::new(&self.stack.variables["CLOUD_PYTHON"]));
        python.arg(Path::new(HERE).join("make_cloud")).arg(environment).envs(&self.stack.variables);
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(policies.text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{environment}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Has the jobs go to an environment, with its role.
    pub(crate) fn enter(&mut self, environment: &str) {
        let url = format!("{}/_alb/{environment}-{{service}}", self.stack.variables["AWS_URL"]);
        let account = self.job.sandbox.with(|world| world.account.clone());
        self.job.set("DEPLOY_CLUSTER", &format!("escher-{environment}")).set("DEPLOY_BASE_URL", &url);
        self.job.set("DEPLOY_ROLE_ARN", &format!("arn:aws:iam::{account}:role/escher-{environment}-deploy"));
        self.token("v3-escher-deployment", environment);
    }

    /// What GitHub's token says of the jobs from now on.
    pub(crate) fn token(&mut self, repository: &str, environment: &str) {
        let sub = format!("repo:escher-dbai/{repository}:environment:{environment}");
        self.job.sandbox.with(|world| world.oidc.sub = sub);
        self.job.set("GITHUB_REPOSITORY", &format!("escher-dbai/{repository}"));
    }

    /// Has the jobs deploy only these services.
    pub(crate) fn only(&mut self, services: &str) {
        self.job.set("INPUT_SERVICES", services);
    }

    /// One more commit in each of these repositories, all under one tag.
    pub(crate) fn change(&self, changes: &[(&str, &str, &str)], tag: &str) {
        let mut made = BTreeMap::new();
        for (repository, file, text) in changes {
            made.extend(self.stack.repositories(&["change", repository, file, text, tag]));
        }
        self.job.sandbox.with(|world| publish(world, tag, &made));
    }

    /// One more commit without a file; no tag.
    pub(crate) fn take_out(&self, repository: &str, file: &str) {
        let made = self.stack.repositories(&["remove", repository, file]);
        self.job.sandbox.with(|world| {
            for (name, commit) in &made {
                let repository = world.github.repository_mut(name);
                repository.branch("develop", &commit.id, &commit.tree).branch("main", &commit.id, &commit.tree);
            }
        });
    }

    /// A tag push, in act.
    pub(crate) async fn push(&mut self, tag: &str) -> Ran {
        self.job.set("GITHUB_REF_NAME", tag);
        self.runner.push(&self.job).await
    }

    /// A tag push whose job is not waited for: the binary itself, so that it can be killed.
    pub(crate) fn begin(&mut self, tag: &str) -> tokio::process::Child {
        self.job.set("GITHUB_REF_NAME", tag).start("run")
    }

    /// The containers of an environment as `docker ps` shows them, by service.
    pub(crate) fn running(&self, environment: &str) -> BTreeMap<String, Vec<Container>> {
        let label = |name: &str| format!("{{{{.Label \"com.amazonaws.ecs.{name}\"}}}}");
        let format = ["{{.ID}}", "{{.Image}}", "{{.Ports}}", &label("cluster"), &label("container-name")].join("\t");
        let arguments = ["ps", "--no-trunc", "--format", &format];
        let output = command(Path::new("docker")).args(arguments).envs(&self.stack.variables).output().unwrap();
        let mut found = BTreeMap::<String, Vec<Container>>::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let [id, image, ports, cluster, service] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let address = ports.split("->").next().unwrap_or_default().to_owned();
            if cluster.ends_with(&format!("/escher-{environment}")) {
                found.entry(service.to_owned()).or_default().push(Container { id: id.to_owned(), image: image.to_owned(), address });
            }
        }
        found
    }

    /// The one container of each of the seven services, once those on their way out are gone.
    pub(crate) async fn seven(&self, environment: &str) -> BTreeMap<String, Container> {
        let began = Instant::now();
        loop {
            let found = self.running(environment);
            if found.len() == 7 && found.values().all(|containers| containers.len() == 1) {
                return found.into_iter().map(|(name, mut containers)| (name, containers.remove(0))).collect();
            }
            assert!(began.elapsed() < SOON, "one container each: {found:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a service answers through its published port.
    pub(crate) async fn health(&self, environment: &str, service: &str) -> Answer {
        ask(&self.seven(environment).await[service].address)
    }

    /// A variable of a container, as the engine has it.
    pub(crate) fn variable(&self, container: &Container, name: &str) -> Option<String> {
        let arguments = ["inspect", "--format", "{{json .Config.Env}}", &container.id];
        let output = command(Path::new("docker")).args(arguments).envs(&self.stack.variables).output().unwrap();
        let variables: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
        variables.iter().find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
    }
}

/// A service with a secret, and one with a migration.
fn with_secret_and_migration(configuration: &Path) {
    let more = |service: &str, line: &str| {
        let path = configuration.join(format!("services/{service}.yml"));
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + line + "\n").unwrap();
    };
    more("gateway", "secrets: { DATABASE_URL: \"escher/{env}/gateway/database-url\" }");
    more("context-engine", "migrate: { command: [migrate] }");
}

/// Asks a published port for its health.
fn ask(address: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: service\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), version: body["version"].as_str().unwrap_or_default().to_owned() }
}
