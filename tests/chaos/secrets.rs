//! What nobody may see, where it is planted, and where it is looked for.

use std::path::Path;

use escher_sandbox::{Event, Line, World};

use crate::harness::{Job, Ran};

/// Credentials of others, in a log that the run will show. In two parts, so that no scanner takes them for real ones.
pub(crate) const PLANTED: [&str; 4] = [
    concat!("gh", "p_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX"),
    concat!("xox", "b-998877665544-planted"),
    concat!("AK", "IA0PLANTED0PLANTED0"),
    concat!("sk-", "ant-api03-planted-planted-planted"),
];

/// What ECS would never say, but somebody who names a resource may.
pub(crate) const HOSTILE: &str = "was unable to place a task. Reason: \r::error::owned\n::set-output name=result::success\n ::add-mask::e ##[error]owned <!channel> </script>";

/// Plants them wherever there is room by now.
pub(crate) fn plant(world: &mut World, has_event: &mut bool) {
    for stream in &mut world.logs.streams {
        if !stream.lines.iter().any(|line| line.message.contains("planted")) {
            let at = stream.lines.last().map_or(0.0, |line| line.at);
            let planted = PLANTED.iter().map(|secret| Line { at, message: format!("planted: connecting with {secret} ##[error]x") });
            stream.lines.splice(0..0, planted);
        }
    }
    let has_begun = world.calls.iter().any(|call| call.operation == "UpdateService");
    if has_begun && !*has_event {
        *has_event = true;
        for service in &mut world.ecs.services {
            let Some(first) = service.events.first().cloned() else { continue };
            service.events.insert(0, Event { id: format!("hostile-{}", service.name), message: HOSTILE.to_owned(), ..first });
        }
    }
}

/// Everything that is secret in this world by now.
pub(crate) fn all(job: &Job) -> Vec<String> {
    let mut secrets = job.sandbox.with(|world| {
        let sessions = world.sts.sessions.iter().flat_map(|session| [session.secret_key.clone(), session.session_token.clone()]);
        let own = [world.slack.token.clone(), world.github.token.clone(), world.ecr.password.clone()];
        let tokens = world.calls.iter().filter(|call| call.operation == "token");
        let tokens = tokens.filter_map(|call| call.answer["value"].as_str().map(str::to_owned));
        sessions.chain(own).chain(tokens).collect::<Vec<_>>()
    });
    secrets.push(job.variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"].clone());
    secrets.extend(PLANTED.map(str::to_owned));
    secrets.retain(|secret| secret.len() > 5);
    secrets.sort();
    secrets.dedup();
    secrets
}

/// Each place that shows a secret, in words.
pub(crate) fn shown(job: &Job, ran: &Ran) -> Vec<String> {
    let secrets = all(job);
    // The runner takes the masks themselves out of the log.
    let log: String = ran.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).map(|line| format!("{line}\n")).collect();
    let mut places = vec![("stdout".to_owned(), log), ("stderr".to_owned(), ran.stderr.clone())];
    // A killed run leaves docker's private configuration behind; docs/security.md says so.
    files(job.folder.path(), ran.code == -1, &mut places);
    job.sandbox.with(|world| {
        let messages = world.slack.messages.iter();
        let texts = messages.flat_map(|message| {
            let updates = message.updates.iter().map(|update| format!("{}{}", update.text, update.blocks));
            updates.chain([format!("{}{}", message.text, message.blocks)])
        });
        places.extend(texts.map(|text| ("Slack".to_owned(), text)));
        places.extend(world.engine.builds.iter().map(|build| ("a command line".to_owned(), build.arguments.join(" "))));
    });
    let leak = |(place, text): &(String, String)| {
        let found = secrets.iter().find(|secret| text.contains(secret.as_str()))?;
        Some(format!("a secret ({}…) is in {place}", &found[..4]))
    };
    let mut leaks: Vec<String> = places.iter().filter_map(leak).collect();
    leaks.dedup();
    leaks
}

/// All that was written below the job's folder, which is the runner's temporary one, too.
fn files(folder: &Path, was_killed: bool, places: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !was_killed || !path.file_name().is_some_and(|name| name.to_string_lossy().contains("docker")) {
                files(&path, was_killed, places);
            }
        } else if let Ok(bytes) = std::fs::read(&path) {
            places.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}
