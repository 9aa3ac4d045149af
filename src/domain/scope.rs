//! Which services a run is about (CONTRACT 5.1): an unknown name is an error with the nearest one, never "everything".

use std::collections::{BTreeMap, BTreeSet};

use super::names::{ServiceName, nearest};
use super::service::Service;

/// Who asks, and for what.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// The `services` input.
    pub services: &'a [String],
    /// The `skip` input.
    pub skip: &'a [String],
    /// `owner/name` of the repository that the run belongs to; none on a developer's machine.
    pub repository: Option<&'a str>,
    /// The organisation on GitHub.
    pub owner: &'a str,
    /// The repository from which all services are deployed, with or without the owner.
    pub orchestrator: &'a str,
}

/// The services in scope, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// To be deployed.
    pub included: BTreeSet<ServiceName>,
    /// Left out by `skip`.
    pub skipped: BTreeSet<ServiceName>,
}

/// Finds the scope.
///
/// # Errors
/// A message for each name that is no service, and for a repository that builds none.
pub fn find(asked: &Asked<'_>, services: &BTreeMap<ServiceName, Service>) -> Result<Scope, Vec<String>> {
    let mut problems = Vec::new();
    let skip = named("skip", asked.skip, services, &mut problems);
    let included = if asked.services.is_empty() {
        of_repository(asked, services).unwrap_or_else(|problem| {
            problems.push(problem);
            BTreeSet::new()
        })
    } else {
        named("services", asked.services, services, &mut problems)
    };
    if problems.is_empty() {
        let (skipped, included) = included.into_iter().partition(|name| skip.contains(name));
        Ok(Scope { included, skipped })
    } else {
        Err(problems)
    }
}

fn named(input: &str, asked: &[String], services: &BTreeMap<ServiceName, Service>, problems: &mut Vec<String>) -> BTreeSet<ServiceName> {
    let mut found = BTreeSet::new();
    for name in asked {
        if name == "all" && input == "services" {
            found.extend(services.keys().cloned());
        } else if let Some((name, _)) = services.get_key_value(&ServiceName::from(name.as_str())) {
            found.insert(name.clone());
        } else {
            problems.push(format!("input `{input}`: no service is called `{name}`{}", suggestion(name, services)));
        }
    }
    found
}

fn suggestion(name: &str, services: &BTreeMap<ServiceName, Service>) -> String {
    let known = || services.keys().map(ServiceName::as_str);
    nearest(name, known()).map_or_else(
        || format!("; the services are {}", known().collect::<Vec<_>>().join(", ")),
        |near| format!("; did you mean `{near}`?"),
    )
}

fn of_repository(asked: &Asked<'_>, services: &BTreeMap<ServiceName, Service>) -> Result<BTreeSet<ServiceName>, String> {
    let Some(repository) = asked.repository else {
        return Err("which services? outside GitHub Actions name them: `--services gateway`, or `--services all`".to_owned());
    };
    let full = |name: &str| if name.contains('/') { name.to_owned() } else { format!("{}/{name}", asked.owner) };
    let is = |name: &str| full(name).eq_ignore_ascii_case(repository);
    if is(asked.orchestrator) {
        return Ok(services.keys().cloned().collect());
    }
    let built: BTreeSet<ServiceName> = services.values().filter(|service| is(&service.repo)).map(|service| service.name.clone()).collect();
    if !built.is_empty() {
        return Ok(built);
    }
    let repositories: Vec<String> = services.values().map(|service| full(&service.repo)).chain([full(asked.orchestrator)]).collect();
    let near = nearest(repository, repositories.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(format!(
        "no service is built from repository `{repository}`{hint} — add services/<name>.yml with its `repo:`, or name services in the input `services`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::EcrRepository;

    fn services() -> BTreeMap<ServiceName, Service> {
        [("gateway", "v2-gateway-service-java"), ("asset-store", "v4-asset-store-go")]
            .into_iter()
            .map(|(name, repo)| {
                let service = Service {
                    name: name.into(),
                    repo: repo.into(),
                    dockerfile: "Dockerfile".into(),
                    context: ".".into(),
                    test_target: None,
                    ecr_repo: EcrRepository::new(format!("escher-{name}")),
                    needs: vec![],
                    ecs_service: name.into(),
                    container: name.into(),
                    paths: vec![],
                    health: None,
                    migrate: None,
                    config: vec![],
                    secrets: BTreeMap::new(),
                    release_notes: false,
                    runbook: None,
                };
                (name.into(), service)
            })
            .collect()
    }

    fn scope(services_input: &[&str], skip: &[&str], repository: Option<&str>) -> Result<Vec<String>, Vec<String>> {
        let text = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (wanted, skip) = (text(services_input), text(skip));
        let asked = Asked { services: &wanted, skip: &skip, repository, owner: "escher-dbai", orchestrator: "v3-escher-deployment" };
        find(&asked, &services()).map(|scope| scope.included.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_repository_decides() {
        assert_eq!(scope(&[], &[], Some("escher-dbai/v4-asset-store-go")), Ok(vec!["asset-store".into()]));
        assert_eq!(scope(&[], &[], Some("escher-dbai/v3-escher-deployment")).map(|all| all.len()), Ok(2));
        assert_eq!(scope(&["all"], &["gateway"], None), Ok(vec!["asset-store".into()]));
    }

    #[test]
    fn a_fork_or_a_stranger_is_never_everything() {
        for repository in ["mallory/v4-asset-store-go", "mallory/v3-escher-deployment", "escher-dbai/v4-asset-store"] {
            assert!(scope(&[], &[], Some(repository)).is_err(), "{repository}");
        }
        assert!(scope(&[], &[], None).is_err());
    }

    #[test]
    fn unknown_names_are_all_reported_with_the_nearest() {
        let problems = scope(&["gatway"], &["zebra"], None).expect_err("unknown names");
        assert_eq!(
            problems,
            [
                "input `skip`: no service is called `zebra`; the services are asset-store, gateway",
                "input `services`: no service is called `gatway`; did you mean `gateway`?",
            ]
        );
    }
}
