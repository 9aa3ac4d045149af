//! The HTTP face: locks the world, lets it catch up, has it answer, and writes the call down.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::call::{Address, Call, Reply, Request};
use crate::clock::{Clock, unix};
use crate::fault::{Effect, error_reply, strike};
use crate::garble::garbled;
use crate::http::{HangUp, read, response};
use crate::route;
use crate::world::World;

/// A running sandbox. Its server stops when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    url: String,
    state: Arc<State>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    world: World,
    clock: Clock,
}

impl State {
    /// Runs `f` with the world as it is now.
    fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut inside = self.lock();
        let now = inside.clock.now();
        inside.world.advance(now);
        let result = f(&mut inside.world);
        let scale = inside.world.time_scale;
        inside.clock.set_scale(scale);
        result
    }

    /// A test that panicked while it looked at the world does not make the world unusable.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Starts a server for this world on a free port of 127.0.0.1, in a thread and runtime of its own, so that it also
    /// answers while a test blocks on a child process.
    ///
    /// # Panics
    /// When the machine gives no port or no thread: then there is nothing to test with.
    #[expect(clippy::expect_used, clippy::unused_async, reason = "a helper for tests; asynchronous by contract")]
    pub async fn start(mut world: World) -> Sandbox {
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port of 127.0.0.1");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("the port's number");
        world.epoch = unix() - world.now;
        // Both kinds of time agree at the start; credentials go by this one.
        world.real = world.now;
        let clock = Clock::start(world.now, world.time_scale);
        let state = Arc::new(State { inside: Mutex::new(Inside { world, clock }) });
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("escher-sandbox".to_owned()).spawn(move || serve(listener, shared, stopped));
        Sandbox { url: format!("http://{address}"), state, stop: Some(stop), thread: Some(thread.expect("a thread")) }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What runner and user would have set to reach the sandbox.
    pub fn env(&self) -> Vec<(String, String)> {
        let url = &self.url;
        let world = &self.state.lock().world;
        let role = world.sts.roles.first().map(|role| role.arn.clone()).unwrap_or_default();
        let pairs = [
            ("AWS_ENDPOINT_URL", url.clone()),
            ("SLACK_API_URL", format!("{url}/slack/api")),
            ("ANTHROPIC_BASE_URL", format!("{url}/anthropic")),
            ("GITHUB_API_URL", format!("{url}/github")),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{url}/oidc/token?api-version=2.0")),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", world.oidc.request_token.clone()),
            ("DEPLOY_BASE_URL", format!("{url}/services/{{service}}")),
            ("DEPLOY_ROLE_ARN", role),
            ("DEPLOY_REGION", world.region.clone()),
            ("DEPLOY_CLUSTER", format!("escher-{}", world.environment)),
            ("GITHUB_TOKEN", world.github.token.clone()),
            ("SLACK_BOT_TOKEN", world.slack.token.clone()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The folder of a `docker` that has the sandbox for an engine, for `PATH`.
    pub fn docker_folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docker")
    }

    /// `DOCKER_HOST` for that `docker`.
    pub fn docker_host(&self) -> String {
        self.url.replace("http://", "tcp://")
    }

    /// Looks at the world, or changes it, as it is now.
    pub fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        self.state.with(f)
    }

    /// Every request so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().world.calls.clone()
    }

    /// Sandbox seconds since the start.
    pub fn now(&self) -> f64 {
        self.state.lock().clock.now()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped, too.
            let _ = thread.join();
        }
    }
}

/// Serves until `stopped` is dropped. Connections end with the runtime.
fn serve(listener: std::net::TcpListener, state: Arc<State>, stopped: oneshot::Receiver<Infallible>) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else { return };
    runtime.block_on(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        tokio::select! {
            () = accept(listener, state) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

async fn accept(listener: tokio::net::TcpListener, state: Arc<State>) {
    loop {
        // Running out of descriptors passes; the next connection may be luckier.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&state)));
            // It fails when either side hangs up, which is what some faults are for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle(request: HttpRequest<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, HangUp> {
    let request = read(request).await?;
    let address = route::address(&request);
    let effect = state.with(|world| strike(&mut world.faults, &address));
    if let Some(Effect::Delay(seconds)) = effect {
        tokio::time::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()).await;
    }
    let reply = state.with(|world| {
        world.before_call(address.party);
        let (reply, sent) = perform(world, &address, &request, effect.as_ref());
        let reply = reply.map(|reply| route::identified(reply, &address, world.calls.len()));
        let call = if world.keeps_bodies { call } else { brief };
        world.calls.push(call(world.now, address, request, reply.as_ref(), sent));
        reply.filter(|_| sent)
    });
    if let Some(reply) = reply.as_ref().filter(|reply| reply.delay > 0.0) {
        tokio::time::sleep(Duration::try_from_secs_f64(reply.delay).unwrap_or_default()).await;
    }
    reply.map(response).ok_or(HangUp)
}

/// The answer, if there is one, and whether it is sent.
fn perform(world: &mut World, address: &Address, request: &Request, effect: Option<&Effect>) -> (Option<Reply>, bool) {
    match effect {
        None | Some(Effect::Delay(_)) => (Some(route::answer(world, address, request)), true),
        Some(Effect::Garbled(number)) => (Some(garbled(route::answer(world, address, request), *number)), true),
        Some(Effect::LoseAnswer) => (Some(route::answer(world, address, request)), false),
        Some(Effect::LoseRequest) => (None, false),
        Some(Effect::Error { status, code, message }) => (Some(error_reply(address, *status, code, message)), true),
        Some(Effect::Body { status, body }) => {
            let content_type = if body.starts_with('<') { "text/html" } else { "application/json" };
            (Some(Reply::new(*status, content_type, body.clone())), true)
        }
        Some(Effect::Headers { status, headers, body }) => {
            let reply = Reply { headers: headers.clone(), ..Reply::new(*status, "application/json; charset=utf-8", body.clone()) };
            (Some(reply), true)
        }
    }
}

fn call(at: f64, address: Address, request: Request, reply: Option<&Reply>, sent: bool) -> Call {
    Call {
        at,
        party: address.party.to_owned(),
        operation: address.operation,
        raw: request.body,
        body: address.body,
        status: reply.filter(|_| sent).map_or(0, |reply| reply.status),
        answer: reply.map(Reply::value).unwrap_or_default(),
    }
}

/// The same without body and answer; of a refusal the answer, which is short, and of a call the names that it is about.
fn brief(at: f64, address: Address, request: Request, reply: Option<&Reply>, sent: bool) -> Call {
    let status = reply.filter(|_| sent).map_or(0, |reply| reply.status);
    let about = ["services", "service", "tasks"].into_iter().filter_map(|key| Some((key.to_owned(), address.body.get(key)?.clone())));
    let body = Value::Object(about.collect());
    let answer = reply.filter(|_| status >= 400).map(Reply::value).unwrap_or_default();
    drop(request);
    Call { at, party: address.party.to_owned(), operation: address.operation, raw: String::new(), body, status, answer }
}
