//! Makes the plan of one service, from what was read of it and the image that was chosen for it.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Chosen, How, missing_tags};
use super::image::{Image, has_passed, passed_tag};
use super::migration::PlannedMigration;
use super::names::{DefinitionArn, Revision};
use super::plan::{Action, Found, PlannedService, Side, Start};
use super::registration::Registration;
use super::rollout::{RolloutState, ServiceView};
use super::service::Service;
use super::smoke::{Accepted, display_version};
use super::tag::ReleaseTag;
use super::task_definition::{
    DefinitionError, Difference, LABEL_PREVIOUS, LABEL_RELEASE, LABEL_REVISION, LABEL_SOURCE, LABEL_VERSION, TaskDefinition, Wanted,
};

/// The release as the planner needs it.
#[derive(Clone, Debug)]
pub struct Release<'a> {
    /// Its tag.
    pub tag: &'a ReleaseTag,
    /// Where to.
    pub environment: &'a str,
    /// Non-secret configuration.
    pub values: &'a BTreeMap<String, String>,
    /// The organisation on GitHub, for the source label.
    pub owner: &'a str,
    /// Deploy unchanged services too.
    pub force: bool,
}

/// Plans one service that is left out; it need not even be there.
pub fn plan_skipped(service: &Service, found: Option<&Found>) -> PlannedService {
    let from = found.map(|found| running_side(service, found)).unwrap_or_default();
    let nothing = Found::default();
    let found = found.unwrap_or(&nothing);
    planned(service, found, Action::Skip, "left out by `skip`".to_owned(), Start::Nothing, from.clone(), from)
}

/// Plans one service.
///
/// # Errors
/// `DefinitionError` when the running definition lacks the container.
pub fn plan_service(release: &Release<'_>, service: &Service, found: &Found, chosen: &Chosen) -> Result<PlannedService, DefinitionError> {
    let planned = match (chosen.image(), &chosen.source) {
        (Some(image), _) => plan_image(release, service, found, chosen, image)?,
        (None, source) => {
            found.definition.has_container(&service.container)?;
            let revision = source.as_ref().map(|source| source.commit.clone());
            let to = Side { version: Some(release.tag.version()), revision, ..Side::default() };
            let start = source.clone().map_or(Start::Nothing, Start::Build);
            let reason = format!("changed{}", image_words(release, chosen));
            let from = running_side(service, found);
            planned(service, found, Action::Build, reason, start, from, to)
        }
    };
    Ok(PlannedService { chosen: Some(chosen.clone()), ..planned })
}

fn plan_image(
    release: &Release<'_>,
    service: &Service,
    found: &Found,
    chosen: &Chosen,
    image: &Image,
) -> Result<PlannedService, DefinitionError> {
    // It bears these names by the time it runs.
    let names = missing_tags(chosen, release.tag);
    let accepted = Accepted::from_tags(image.tags.iter().chain(&names).map(String::as_str));
    let revision = revision(service, found, chosen, &accepted);
    let wanted = wanted(release, service, found, image, revision.as_ref());
    let difference = found.definition.difference(&wanted)?;
    let start = start(release, service, found, &difference, &wanted)?;
    let action = match &start {
        Start::Nothing => Action::None,
        _ if !difference.image && !difference.settings.is_empty() => Action::Configure,
        _ if chosen.found.as_ref().is_some_and(|found| found.how == How::Built) => Action::Build,
        _ => Action::Promote,
    };
    let reason = reason(release, service, found, &difference, &start, chosen);
    let keeps_definition = matches!(start, Start::Nothing | Start::Restart | Start::Join(_));
    let from = running_side(service, found);
    // What is left alone goes on to call itself what it does.
    let own = || from.version.clone().or_else(|| Some(display_version(&accepted, &image.digest)));
    let to = Side {
        version: Some(release.tag.version()).filter(|_| start != Start::Nothing).or_else(own),
        revision,
        digest: Some(image.digest.clone()),
        task_definition: Some(found.definition.arn()).filter(|_| keeps_definition),
    };
    let previous = previous(release, service, found).map(DefinitionArn::from);
    let migration = PlannedMigration::of(service, release.environment, image, &accepted).filter(|_| difference.image);
    let passed = passed_tag(release.environment, &release.tag.version());
    let is_proven = image.tags.contains(&passed);
    let is_unproven = start == Start::Nothing && previous.is_some() && !is_proven;
    let is_unmarked = start == Start::Nothing && !has_passed(image, release.environment);
    Ok(PlannedService {
        accepted,
        previous,
        migration,
        is_unproven,
        is_unmarked,
        is_proven,
        ..planned(service, found, action, reason, start, from, to)
    })
}

fn planned(service: &Service, found: &Found, action: Action, reason: String, start: Start, from: Side, to: Side) -> PlannedService {
    PlannedService {
        name: service.name.clone(),
        action,
        reason,
        from,
        to,
        start,
        view: found.view.clone(),
        definition: found.definition.clone(),
        container: service.container.clone(),
        previous: None,
        is_unproven: false,
        is_unmarked: false,
        is_proven: false,
        migration: None,
        stays: false,
        chosen: None,
        accepted: Accepted::default(),
    }
}

/// What the running definition says of itself.
pub fn running_side(service: &Service, found: &Found) -> Side {
    side_of(service, found.runs())
}

/// What a definition says of itself.
pub fn side_of(service: &Service, definition: &TaskDefinition) -> Side {
    let container = service.container.as_str();
    let tag = definition.image(container).and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
    let by_label = definition.label(container, LABEL_VERSION);
    let digest = definition.digest(container);
    let version = by_label.or_else(|| tag.filter(|_| digest.is_none()));
    Side {
        version: version.map(|version| version.strip_prefix('v').unwrap_or(version).to_owned()),
        revision: definition.revision(container),
        digest,
        task_definition: Some(definition.arn()),
    }
}

/// The commit that runs once the image does: the release's, where the image is of it, else the one that the image names.
fn revision(service: &Service, found: &Found, chosen: &Chosen, accepted: &Accepted) -> Option<Revision> {
    let how = chosen.found.as_ref().map(|found| found.how);
    let source = chosen.source.as_ref().map(|source| &source.commit);
    let is_of_source = |source: &&Revision| how != Some(How::Release) || accepted.commits.contains(source);
    let is_same = found.definition.digest(&service.container).as_ref() == chosen.image().map(|image| &image.digest);
    let running = || found.definition.revision(&service.container).filter(|revision| is_same || accepted.commits.contains(revision));
    match (how, source.filter(is_of_source)) {
        // Left alone, it goes on to call itself what it does.
        (Some(How::Kept), _) => found.definition.revision(&service.container),
        (_, Some(source)) => Some(source.clone()),
        (_, None) => running().or_else(|| accepted.commits.first().cloned()),
    }
}

/// What ran before this release, where the definition says that this release registered it.
fn previous<'a>(release: &Release<'_>, service: &Service, found: &'a Found) -> Option<&'a str> {
    let label = |name: &str| found.definition.label(&service.container, name);
    let is_ours = label(LABEL_RELEASE) == Some(release.tag.to_string().as_str());
    label(LABEL_PREVIOUS).filter(|_| is_ours)
}

fn wanted(release: &Release<'_>, service: &Service, found: &Found, image: &Image, revision: Option<&Revision>) -> Wanted {
    let tag = release.tag.to_string();
    let container = service.container.as_str();
    let previous = previous(release, service, found).map_or_else(|| found.runs().arn().to_string(), str::to_owned);
    let mut labels = BTreeMap::from([
        (LABEL_VERSION.to_owned(), release.tag.version()),
        (LABEL_SOURCE.to_owned(), format!("https://github.com/{}/{}", release.owner, service.repo)),
        (LABEL_RELEASE.to_owned(), tag),
        (LABEL_PREVIOUS.to_owned(), previous),
    ]);
    if let Some(commit) = revision {
        labels.insert(LABEL_REVISION.to_owned(), commit.to_string());
    }
    let keys: BTreeSet<&String> = service.config.iter().collect();
    Wanted {
        container: container.to_owned(),
        image: format!("{}@{}", image.uri, image.digest),
        config: keys.into_iter().filter_map(|key| Some((key.clone(), release.values.get(key)?.clone()))).collect(),
        secrets: found.secrets.clone(),
        labels,
    }
}

fn start(
    release: &Release<'_>,
    service: &Service,
    found: &Found,
    difference: &Difference,
    wanted: &Wanted,
) -> Result<Start, DefinitionError> {
    let view = &found.view;
    if !difference.is_none() {
        return Ok(Start::Update(Registration::from(&found.definition.next(wanted)?)));
    }
    let tag = release.tag.to_string();
    let is_ours = found.definition.label(&service.container, LABEL_RELEASE) == Some(&tag);
    Ok(match view.primary() {
        Some(primary) if view.is_in_flight() && is_ours => Start::Join(primary.id.clone()),
        _ if view.is_steady() && !release.force => Start::Nothing,
        _ if view.is_steady() => Start::Update(Registration::from(&found.definition.next(wanted)?)),
        _ => Start::Restart,
    })
}

fn reason(release: &Release<'_>, service: &Service, found: &Found, difference: &Difference, start: &Start, chosen: &Chosen) -> String {
    let settings = difference.settings.join(", ");
    let is_kept = chosen.found.as_ref().is_some_and(|found| found.how == How::Kept);
    match start {
        Start::Nothing if is_kept => format!("unchanged{}", image_words(release, chosen)),
        Start::Nothing => "same image, configuration and secrets as running".to_owned(),
        Start::Back(definition) | Start::Registered(definition) => format!("to {}", definition.short()),
        Start::Build(_) => format!("changed{}", image_words(release, chosen)),
        Start::Join(id) => format!("this release's deployment {id} is in flight: joined"),
        Start::Restart => format!("stuck: {}; started once more with the definition it has", stuck(&found.view)),
        Start::Update(_) if difference.image && found.definition.digest(&service.container).is_none() => {
            "changed: runs an image named by tag, not by digest, so what runs is not certain".to_owned()
        }
        Start::Update(_) if difference.image && settings.is_empty() => format!("changed{}", image_words(release, chosen)),
        Start::Update(_) if difference.image => format!("changed{}; also {settings}", image_words(release, chosen)),
        Start::Update(_) if settings.is_empty() => "unchanged, but `force` is set".to_owned(),
        Start::Update(_) => format!("changed: only configuration, {settings}"),
    }
}

/// What is new about the image: what GitHub told, else how it was found.
fn image_words(release: &Release<'_>, chosen: &Chosen) -> String {
    let commit = chosen.source.as_ref().map(|source| source.commit.short()).unwrap_or_default();
    let how = chosen.found.as_ref().map(|found| found.how);
    match (&chosen.words, how) {
        (Some(words), Some(How::Commit)) => format!(", {words}; built before"),
        (Some(words), Some(How::Tree)) => format!(", {words}; built before, of another commit of the same tree"),
        (Some(words), _) => format!(", {words}"),
        (None, Some(How::Release)) => format!(": the image of {}", release.tag),
        (None, Some(How::Tree)) => format!(": built before, of another commit of the tree of {commit}"),
        (None, _) => format!(": {commit}"),
    }
}

/// Why an image may not go where only what has passed elsewhere may; none where it may. What runs already may stay.
pub fn not_passed(planned: &PlannedService, gate: &str) -> Option<String> {
    let image = planned.chosen.as_ref().and_then(Chosen::image);
    let changes = match &planned.start {
        Start::Build(_) => true,
        Start::Nothing => false,
        _ => planned.from.digest != planned.to.digest,
    };
    if !changes || image.is_some_and(|image| has_passed(image, gate)) {
        return None;
    }
    let commit = planned.to.revision.as_ref().map(|revision| format!(" of {}", revision.short())).unwrap_or_default();
    Some(match image {
        Some(image) => format!("its image {}{commit} has never passed {gate}", image.digest.short()),
        None => format!("no image{commit} has passed {gate}, and nothing is built here"),
    })
}

fn stuck(view: &ServiceView) -> String {
    match view.primary() {
        None => "ECS lists no PRIMARY deployment".to_owned(),
        Some(primary) if primary.state == RolloutState::Failed => format!("{} is FAILED ({})", primary.id, primary.reason),
        Some(primary) if primary.state == RolloutState::InProgress => format!("{} is in progress", primary.id),
        Some(primary) => format!("{} of {} tasks run", primary.running, view.desired),
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
