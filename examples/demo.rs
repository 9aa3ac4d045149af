//! The main job on the embedded sandbox: `cargo run --example demo` deploys `v2.16.0-dev`, seven services, in order;
//! `cargo run --example demo -- failure` has one of them crash, and the whole release go back.
//!
//! Everything is real but the cloud: the pipeline is the one that runs in GitHub Actions, over real sockets on 127.0.0.1.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a demo talks")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use escher_deploy::clients::console::Masks;
use escher_deploy::stages::cancel::Cancel;
use escher_deploy::{config, pipeline};
use escher_sandbox::{Comparison, Fate, Sandbox, World};

const TAG: &str = "v2.16.0-dev";

/// Sandbox seconds in a real one: an ECS rollout of a minute takes three seconds.
const SCALE: f64 = 20.0;

/// The demo starts itself once more with this word: the pipeline is a process of its own, as it is on a runner.
const PIPELINE: &str = "pipeline";
/// Has a service crash.
const FAILURE: &str = "failure";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some(PIPELINE) => deploy().await,
        Some(FAILURE) => demo(true).await,
        None => demo(false).await,
        Some(other) => {
            eprintln!("the demo knows no `{other}`: `{FAILURE}` or nothing");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("the demo failed: {error}");
        ExitCode::FAILURE
    })
}

/// What `escher-deploy` does, with the inputs that a tag push gives it.
async fn deploy() -> std::io::Result<ExitCode> {
    let loaded = config::load(&BTreeMap::new(), &config::env::variables());
    let masks = Masks::new(false);
    loaded.secrets.iter().for_each(|secret| masks.add(secret));
    let cancel = Cancel::on_signals()?;
    Ok(ExitCode::from(pipeline::run(loaded, &masks, &cancel).await))
}

#[expect(clippy::disallowed_methods, reason = "the demo starts itself, and nothing else")]
async fn demo(fails: bool) -> std::io::Result<ExitCode> {
    let mut world = World::escher("dev");
    world.time_scale = SCALE;
    changed_since(&mut world);
    if fails {
        world.image_mut("escher-playbook-agent", TAG).fate = Fate::Crashes { exit_code: 3, after: 4.0 };
    }
    let sandbox = Sandbox::start(world).await;
    let folder = std::env::temp_dir().join(format!("escher-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("A cloud on {}: seven services run v2.15.0-dev, and time passes {SCALE} times as fast.", sandbox.url());
    println!("Somebody pushes the tag {TAG} …\n");
    let mut command = tokio::process::Command::from(std::process::Command::new(std::env::current_exe()?));
    let status = command.arg(PIPELINE).env_clear().envs(variables(&sandbox, &folder)).status().await?;
    show(&sandbox, &folder);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Two services have new commits and no image of them yet; one has changed in its documentation alone.
fn changed_since(world: &mut World) {
    for repository in ["escher-gateway", "escher-context-engine", "escher-autoresolver"] {
        world.ecr.repository_mut(repository).images.retain(|image| image.version != "2.16.0-dev");
    }
    world.engine.millis = 900;
    for (name, files) in [("v2-gateway-service-java", &["src/main/java/Gateway.java", "pom.xml"][..]), ("v2-autoresolver-java", &[][..])] {
        let repository = format!("escher-dbai/{name}");
        let git = world.github.repository_mut(&repository);
        let (base, head) = (git.tags["v2.15.0-dev"].clone(), git.tags[TAG].clone());
        world.github.comparisons.insert((repository, base, head), Comparison::ahead(3, files));
    }
}

/// What a runner would set for a pushed tag, and where the sandbox's parties are.
fn variables(sandbox: &Sandbox, folder: &Path) -> BTreeMap<String, String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let own = [
        // A docker whose engine is the sandbox.
        ("PATH", format!("{}:/usr/bin:/bin", Sandbox::docker_folder().display())),
        ("DOCKER_HOST", sandbox.docker_host()),
        ("GITHUB_REPOSITORY", "escher-dbai/v3-escher-deployment".to_owned()),
        ("GITHUB_REF_TYPE", "tag".to_owned()),
        ("GITHUB_REF_NAME", TAG.to_owned()),
        ("GITHUB_RUN_ID", "1".to_owned()),
        ("GITHUB_ACTOR", "you".to_owned()),
        ("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR").to_owned()),
        ("GITHUB_OUTPUT", at("output")),
        ("GITHUB_STEP_SUMMARY", at("summary.md")),
        ("RUNNER_TEMP", folder.display().to_string()),
        ("DEPLOY_POLL_SECONDS", "0.1".to_owned()),
    ];
    sandbox.env().into_iter().chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// Where to look at what a workflow and its readers would see.
fn show(sandbox: &Sandbox, folder: &Path) {
    let message = sandbox.with(|world| world.slack.messages.first().map(|message| serde_json::json!({"blocks": message.blocks})));
    let file: PathBuf = folder.join("slack.json");
    if let Some(message) = message
        && std::fs::write(&file, format!("{message:#}\n")).is_ok()
    {
        println!("\nThe Slack message (paste it into https://app.slack.com/block-kit-builder): {}", file.display());
    }
    println!("The job summary, with its timeline:  {}", folder.join("summary.md").display());
    let pages = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for page in pages.filter(|path| path.extension().is_some_and(|extension| extension == "html")) {
        println!("The report for a browser:            {}", page.display());
    }
    println!("The outputs for later steps:         {}", folder.join("output").display());
}
