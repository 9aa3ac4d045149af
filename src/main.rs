//! `escher-deploy`: parse, start tracing, run, exit code.

use std::process::ExitCode;

use escher_deploy::clients::console::{LogWriter, Masks};
use escher_deploy::stages::cancel::Cancel;
use escher_deploy::{cli, config, pipeline};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let variables = config::env::variables();
    let loaded = config::load(&cli::flags(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())), &variables);
    let masks = Masks::new(loaded.runner.is_github_actions());
    let masks = if loaded.as_json { masks.beside() } else { masks };
    loaded.secrets.iter().for_each(|secret| masks.add(secret));
    start_tracing(&masks, variables.get("ESCHER_LOG"), loaded.runner.is_debug());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "failed to start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match Cancel::on_signals() {
            Ok(cancel) => pipeline::run(loaded, &masks, &cancel).await,
            Err(error) => {
                tracing::error!(%error, "failed to listen to signals");
                1
            }
        }
    });
    // What is still under way (a health check, a look) has nothing more to say.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// `ESCHER_LOG` takes tracing's filter syntax; a step that is debugged shows the calls.
fn start_tracing(masks: &Masks, filter: Option<&String>, is_debug: bool) {
    let default = if is_debug { "warn,escher_deploy=debug" } else { "error,escher_deploy=warn" };
    let filter = EnvFilter::try_new(filter.map_or(default, String::as_str)).unwrap_or_else(|_| EnvFilter::new(default));
    let masks = masks.clone();
    let writer = move || LogWriter(masks.clone());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).without_time().init();
}
