//! Builds, tests and pushes the images that a plan lacks, several at once. Nothing is deployed before all are in the registry.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Clients;
use super::cancel::Cancel;
use super::world::Registry;
use super::world::{World, way_out};
use crate::clients::checkout;
use crate::clients::console::{Console, Masks};
use crate::clients::docker::{Build, BuildError, Built, Context, Docker};
use crate::clients::github::GitHub;
use crate::clients::process::Ended;
use crate::config::Request;
use crate::domain::board::Board;
use crate::domain::change::{FoundImage, How, Source};
use crate::domain::credential::redact_lines;
use crate::domain::diagnosis;
use crate::domain::image::Image;
use crate::domain::names::ServiceName;
use crate::domain::plan::{Plan, PlannedService};
use crate::domain::service::Service;
use crate::domain::tag::ReleaseTag;
use crate::error::{Error, FailedStep, Finding};
use crate::report::text::{duration, one_line};

/// Lines of a failed build's output that are shown again.
const LAST_LINES: usize = 30;

/// What it takes to build.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// The request.
    pub request: &'a Request,
    /// The parties.
    pub clients: &'a Clients,
    /// Where people read.
    pub console: &'a Console,
    /// What must not be seen.
    pub masks: &'a Masks,
    /// Signals.
    pub cancel: &'a Cancel,
    /// Where it stands, for those who watch.
    pub board: Option<&'a watch::Sender<Board>>,
    /// When the run began.
    pub began: Instant,
}

/// One service's order.
struct Order {
    service: Service,
    build: Build,
    commit: String,
    /// `owner/name` of its source.
    repository: String,
}

/// How an order ended.
struct Done {
    order: Order,
    result: Result<Built, (BuildError, bool)>,
    time: Duration,
}

impl Done {
    fn has_failed(&self) -> bool {
        self.result.as_ref().is_err_and(|(error, _)| *error != BuildError::Stopped)
    }
}

impl Workshop<'_> {
    /// Builds what the plan lacks, and puts it into the world as it was read; the warnings on the way.
    ///
    /// # Errors
    /// `Error::Build` with what failed, once the others were stopped; `Error::CancelledBuilding`.
    pub async fn build(&self, tag: &ReleaseTag, plan: &Plan, world: &mut World) -> Result<Vec<String>, Error> {
        if plan.builds().next().is_none() {
            return Ok(Vec::new());
        }
        let mut warnings = Vec::new();
        let docker = self.cancel.until(self.docker()).await.ok_or(Error::CancelledBuilding)??;
        let mut orders = VecDeque::new();
        for (planned, source) in plan.builds() {
            let Some(service) = self.request.services.get(&planned.name) else { continue };
            let order = self.order(tag, planned, source, service, (&world.registry, docker.folder()), &mut warnings);
            orders.push_back(self.cancel.until(order).await.ok_or(Error::CancelledBuilding)?);
        }
        let (stop, stopped) = watch::channel(false);
        let jobs = self.request.environment.build_jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
        let jobs = jobs.min(orders.len());
        let names: Vec<&str> = orders.iter().map(|order| order.service.name.as_str()).collect();
        self.console.open_group(&format!("Build: {}, {jobs} at once", names.join(", ")));
        let done = self.all(docker, orders, jobs, &stop, &stopped).await;
        self.console.close_group();
        // What was built is found by the next run; the first cause decides.
        if self.cancel.is_cancelled() && !done.iter().any(Done::has_failed) {
            return Err(Error::CancelledBuilding);
        }
        let lost: Vec<FailedStep> = done.iter().filter_map(|done| self.told(done)).collect();
        let noted = self.cancel.until(self.note(done, world, &mut warnings)).await;
        let failed = match noted {
            Some(failed) => failed,
            None if lost.is_empty() => return Err(Error::CancelledBuilding),
            None => lost,
        };
        if failed.is_empty() { Ok(warnings) } else { Err(Error::Build(failed)) }
    }

    async fn all(
        &self,
        docker: Docker,
        mut orders: VecDeque<Order>,
        jobs: usize,
        stop: &watch::Sender<bool>,
        stopped: &watch::Receiver<bool>,
    ) -> Vec<Done> {
        let docker = std::sync::Arc::new(docker);
        let (mut running, mut done, mut number) = (JoinSet::new(), Vec::new(), 0);
        loop {
            while running.len() < jobs && !*stop.borrow() {
                let Some(order) = orders.pop_front() else { break };
                number += 1;
                self.show(&order, false);
                let (docker, console, stopped) = (docker.clone(), self.console.clone(), stopped.clone());
                let github = self.clients.github.clone().ok();
                running.spawn(async move { one(&docker, &console, github.as_ref(), order, number, &stopped).await });
            }
            tokio::select! {
                joined = running.join_next() => match joined {
                    Some(Ok(one)) => {
                        if let Err((error, _)) = &one.result
                            && one.has_failed()
                        {
                            self.console.line(&format!("{} | ✗ {error}", one.order.service.name));
                            stop.send_replace(true);
                        }
                        if one.result.is_ok() {
                            self.show(&one.order, true);
                        }
                        done.push(one);
                    }
                    Some(Err(_)) => {}
                    None => return done,
                },
                () = self.cancel.cancelled(), if !*stop.borrow() => { stop.send_replace(true); }
            }
        }
    }

    fn show(&self, order: &Order, has_ended: bool) {
        let now = self.began.elapsed();
        self.board.iter().for_each(|board| board.send_modify(|board| board.note_build(&order.service.name, has_ended, now)));
    }

    /// Looks each pushed image up, so that what is planned is what the registry holds.
    async fn note(&self, done: Vec<Done>, world: &mut World, warnings: &mut Vec<String>) -> Vec<FailedStep> {
        let mut failed = Vec::new();
        for Done { order, result, time } in done {
            let name = &order.service.name;
            match result {
                Err((BuildError::Stopped, _)) => self.console.line(&format!("  – {name}  its build was stopped")),
                Err((error, in_test)) => match self.built_elsewhere(&order, &error, in_test).await {
                    Some(found) => drop(world.registry.images.insert(name.clone(), found)),
                    None => failed.push(self.failed(&order, &error, in_test)),
                },
                Ok(built) => {
                    if built.without_cache {
                        warnings.push(format!(
                            "{name}: built without DEPLOY_BUILD_CACHE, because this driver of buildx exports no cache: add docker/setup-buildx-action before this step"
                        ));
                    }
                    match self.pushed(&order, &built).await {
                        Ok(image) => {
                            let digest = image.digest.short().to_owned();
                            self.console.line(&format!("  ✓ {name}  built {} in {}: {digest}", order.commit, duration(time)));
                            let found = FoundImage { image, how: How::Built };
                            world.registry.images.insert(name.clone(), found);
                        }
                        Err(step) => failed.push(step),
                    }
                }
            }
        }
        failed
    }

    /// What is to be told of a build that failed.
    fn told(&self, done: &Done) -> Option<FailedStep> {
        let (error, in_test) = done.result.as_ref().err().filter(|_| done.has_failed())?;
        Some(self.failed(&done.order, error, *in_test))
    }

    /// Tags that can't be moved: another run has pushed this commit meanwhile, and its image is as good.
    async fn built_elsewhere(&self, order: &Order, error: &BuildError, in_test: bool) -> Option<FoundImage> {
        let is_taken = |ended: &Ended| ended.tail.iter().any(|line| line.contains("tag is immutable"));
        let BuildError::Failed(ended) = error else { return None };
        let (uri, tag) = order.build.tag.rsplit_once(':').filter(|_| !in_test && is_taken(ended))?;
        let stored = self.clients.ecr.by_tag(&order.service.ecr_repo, tag).await.ok()??;
        self.console.line(&format!("  ✓ {}  another run has built {} meanwhile", order.service.name, order.commit));
        let image = Image { uri: uri.to_owned(), digest: stored.digest, tags: stored.tags };
        Some(FoundImage { image, how: How::Built })
    }

    async fn pushed(&self, order: &Order, built: &Built) -> Result<Image, FailedStep> {
        let (service, digest) = (&order.service, built.digest.clone().unwrap_or_default());
        let step =
            |what: String, way_out: String| FailedStep { finding: Finding::new(service.name.as_str(), what, way_out), log: Vec::new() };
        let uri = order.build.tag.rsplit_once(':').map_or(order.build.tag.as_str(), |(uri, _)| uri).to_owned();
        match self.clients.ecr.by_digest(&service.ecr_repo, &digest).await {
            Ok(Some(stored)) => Ok(Image { uri, digest: stored.digest, tags: stored.tags }),
            Ok(None) => Err(step(
                format!("{} was pushed, but {} does not hold it", digest.short(), service.ecr_repo),
                "look at the registry: something has removed it, or the push went elsewhere".to_owned(),
            )),
            Err(error) => Err(step(error.to_string(), way_out(&error, &format!("ecr:DescribeImages on repository {}", service.ecr_repo)))),
        }
    }

    fn failed(&self, order: &Order, error: &BuildError, in_test: bool) -> FailedStep {
        let service = &order.service;
        let (log, way_out) = match error {
            BuildError::Failed(ended) => {
                let from = ended.tail.len().saturating_sub(LAST_LINES);
                // All of it, because a key is known by its first line.
                let log = redact_lines(&ended.tail)[from..].to_vec();
                let hint = diagnosis::build_hint(log.iter().map(String::as_str));
                let usual =
                    if in_test { "mend the test, or what it tests" } else { "mend the build; its whole output is in the log above" };
                (log, hint.unwrap_or(usual).to_owned())
            }
            BuildError::NoDocker(_) => (Vec::new(), NO_DOCKER.to_owned()),
            _ => (Vec::new(), "run it again; if it stays, see the log above".to_owned()),
        };
        let what = match (&service.test_target, in_test) {
            _ if diagnosis::lacks_source(log.iter().map(String::as_str)) => {
                format!("its source, {}, could not be fetched: {error}", order.commit)
            }
            (Some(stage), true) => format!("its test (stage `{stage}`) failed for {}: {error}", order.commit),
            _ => format!("its build of {} failed: {error}", order.commit),
        };
        // The one line that a person looks for, in every place where only the first sentence shows.
        let decisive = log
            .iter()
            .rev()
            .find(|line| line.contains("ERROR"))
            .map(|line| one_line(&self.masks.hide(line.trim_start_matches("ERROR: ")), 300));
        let what = decisive.map_or(what.clone(), |line| format!("{what}: {line}"));
        FailedStep { finding: Finding::new(service.name.as_str(), what, way_out), log }
    }

    async fn docker(&self) -> Result<Docker, Error> {
        let request = self.request;
        let failed = |what: String, way_out: &str| {
            let finding = Finding::new("docker", what, way_out);
            Error::Build(vec![FailedStep { finding, log: Vec::new() }])
        };
        Docker::check(&request.tokens.variables).await.map_err(|error| failed(error.to_string(), NO_DOCKER))?;
        let login = self.clients.ecr.login(self.masks).await.map_err(|error| {
            let way_out = way_out(&error, "ecr:GetAuthorizationToken on `*`");
            match error.is_denied() {
                true => Error::refused("docker's login to the registry", error.to_string(), way_out),
                false => failed(error.to_string(), &way_out),
            }
        })?;
        let folder = request.runner.temp_folder().join(format!("escher-docker-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        let own = request.runner.docker_config();
        Docker::login(folder, own.as_deref(), &login, &request.tokens.variables)
            .map_err(|error| failed(error.to_string(), "make the folder for temporary files (RUNNER_TEMP) writable"))
    }

    async fn order(
        &self,
        tag: &ReleaseTag,
        planned: &PlannedService,
        source: &Source,
        service: &Service,
        (registry, folder): (&Registry, &Path),
        warnings: &mut Vec<String>,
    ) -> Order {
        let environment = &self.request.environment;
        let (context, dockerfile) = self.context(service, source, folder, warnings).await;
        let (version, commit) = (tag.version(), source.commit.to_string());
        let link = format!("{}/{}", self.request.runner.server_url(), environment.repository(&service.repo));
        let uri = registry.addresses.get(&service.ecr_repo).cloned().unwrap_or_else(|| self.clients.ecr.usual_address(&service.ecr_repo));
        let build = Build {
            context,
            dockerfile,
            target: None,
            platform: planned.definition.platform(),
            // https://github.com/opencontainers/image-spec/blob/main/annotations.md
            labels: vec![
                ("org.opencontainers.image.title", service.name.to_string()),
                ("org.opencontainers.image.version", version.clone()),
                ("org.opencontainers.image.revision", commit.clone()),
                ("org.opencontainers.image.source", link),
            ],
            arguments: vec![("VERSION", version), ("REVISION", commit)],
            tag: format!("{uri}:sha-{}", source.commit),
            cache: environment.build_cache.as_ref().map(|cache| cache.replace("{service}", service.name.as_str())),
        };
        let repository = environment.repository(&service.repo);
        Order { service: service.clone(), build, commit: source.commit.short().to_owned(), repository }
    }

    /// The files of the commit from the checkout, where it is of this very commit; else the repository's git URL at the commit.
    async fn context(&self, service: &Service, source: &Source, own: &Path, warnings: &mut Vec<String>) -> (Context, String) {
        let request = self.request;
        let (folder, hidden) = (request.runner.workspace(), &request.tokens.variables);
        let to = own.join(format!("source-{}", service.name));
        let checkout = checkout::read(&folder, hidden).await.filter(|checkout| checkout.head == source.commit);
        if let Some(checkout) = checkout
            && checkout::export(&folder, &source.commit, &to, hidden).await
            && is_within(&to, &[&service.context, &service.dockerfile])
        {
            if checkout.is_changed {
                let commit = source.commit.short();
                warnings.push(format!("{}: the checkout differs from {commit}; its image is built of {commit} alone", service.name));
            }
            let at = |path: &str| if path == "." { to.clone() } else { to.join(path) };
            return (Context::Folder(at(&service.context)), at(&service.dockerfile).display().to_string());
        }
        let (server, repository) = (request.runner.server_url(), request.environment.repository(&service.repo));
        let folder = if service.context == "." { String::new() } else { format!(":{}", service.context) };
        let dockerfile = service.dockerfile.strip_prefix(&format!("{}/", service.context)).unwrap_or(&service.dockerfile);
        let url = format!("{server}/{repository}.git#{}{folder}", source.commit);
        (Context::Git { url, token: None }, dockerfile.to_owned())
    }
}

/// No link of the commit leads out of its own files, to the checkout's `.git` or to what earlier steps have left.
fn is_within(folder: &Path, paths: &[&str]) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    // What is not there is docker's to tell.
    paths.iter().all(|path| folder.join(path).canonicalize().map_or(true, |real| real.starts_with(&folder)))
}

pub(super) const NO_DOCKER: &str =
    "build on a machine with docker and buildx, as GitHub's ubuntu runners are, or build elsewhere and use `deploy`";

/// The test's stage first; its failure is the build's.
async fn one(
    docker: &Docker,
    console: &Console,
    github: Option<&GitHub>,
    mut order: Order,
    number: usize,
    stopped: &watch::Receiver<bool>,
) -> Done {
    let began = Instant::now();
    let name: ServiceName = order.service.name.clone();
    // Only now: those that waited for their turn would bring a token that has ended.
    if let (Context::Git { token, .. }, Some(github)) = (&mut order.build.context, github) {
        let mut stop = stopped.clone();
        let fresh = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Err(BuildError::Stopped),
            fresh = github.fetch_token(&order.repository) => fresh.map_err(|error| BuildError::NoToken(error.to_string())),
        };
        match fresh {
            Ok(fresh) => *token = Some(fresh),
            Err(error) => return Done { order, result: Err((error, false)), time: began.elapsed() },
        }
    }
    let show = |line: &str| {
        if !line.is_empty() {
            console.line(&format!("{name} | {line}"));
        }
    };
    let test = order.service.test_target.clone().map(|target| Build { target: Some(target), ..order.build.clone() });
    let mut result = Ok(Built { digest: None, without_cache: false });
    if let Some(test) = &test {
        result = docker.build(test, number, stopped, show).await.map_err(|error| (error, true));
    }
    if result.is_ok() {
        result = docker.build(&order.build, number, stopped, show).await.map_err(|error| (error, false));
    }
    Done { order, result, time: began.elapsed() }
}
