//! The house keeps its shape: dependencies point one way, the domain is pure, and the shipped configuration is Escher's.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::ROOT;

/// From the inside out; a room may only use rooms before it.
const ROOMS: &[&str] = &["domain", "config", "error", "report", "clients", "stages", "pipeline", "cli", "main"];

fn sources() -> Vec<(String, PathBuf, String)> {
    let mut open = vec![Path::new(ROOT).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inner = path.strip_prefix(Path::new(ROOT).join("src")).unwrap();
                let room = inner.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
                found.push((room, path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

#[test]
fn dependencies_point_one_way() {
    let mut uses = 0;
    for (room, path, text) in sources().iter().filter(|(room, ..)| room != "lib") {
        let own = rank(room).unwrap_or_else(|| panic!("{room} is no room of the house"));
        for mention in text.split("crate::").skip(1).chain(text.split("escher_deploy::").skip(1)) {
            let first: String = mention.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(other) = rank(&first) else { continue };
            uses += 1;
            assert!(other <= own, "{} ({room}) uses {first}, which lies further out", path.display());
        }
    }
    assert!(uses > 100, "the test sees what it looks for");
}

#[test]
fn the_domain_knows_no_clock_no_io_and_no_sdk() {
    let forbidden = ["tokio", "async ", "aws_", "reqwest", "std::fs", "std::env", "std::net", "SystemTime", "Instant", "println"];
    for (_, path, text) in sources().iter().filter(|(room, ..)| room == "domain") {
        for word in forbidden {
            assert!(!text.contains(word), "{} knows {word}", path.display());
        }
    }
}

#[test]
fn rooms_stay_small() {
    let mut sizes: Vec<(usize, PathBuf)> = sources().into_iter().map(|(_, path, text)| (text.lines().count(), path)).collect();
    sizes.sort();
    let at = |share: f64| sizes[(sizes.len() as f64 * share) as usize].0;
    assert!(
        sizes.iter().all(|(lines, _)| *lines <= 400),
        "over 400 lines: {:?}",
        sizes.iter().filter(|(lines, _)| *lines > 400).collect::<Vec<_>>()
    );
    assert!(at(0.9) <= 350, "nine of ten files have at most {} lines, not 350", at(0.9));
    assert!(at(0.5) <= 170, "half of the files have at most {} lines, not 170", at(0.5));
}

/// Name, repository, ECR repository, needs: the reference page's table and order.
const SERVICES: &[(&str, &str, &str, &[&str])] = &[
    ("asset-store", "v4-asset-store-go", "escher-asset-store", &[]),
    ("context-engine", "v4-context-engine", "escher-context-engine", &["asset-store"]),
    ("analysis-agent", "v2-analysis-agent-go", "escher-analysis-agent", &["context-engine"]),
    ("playbook-agent", "v2-playbook-agent-go", "escher-playbook-agent", &["context-engine"]),
    ("integrations-agent", "v4-integrations-agent-go", "escher-integrations-agent", &["context-engine"]),
    ("gateway", "v2-gateway-service-java", "escher-gateway", &["analysis-agent", "playbook-agent", "integrations-agent"]),
    ("autoresolver", "v2-autoresolver-java", "escher-autoresolver", &[]),
];

#[test]
fn the_seven_services_are_eschers() {
    for (name, repo, ecr_repo, needs) in SERVICES {
        let text = std::fs::read_to_string(Path::new(ROOT).join(format!("services/{name}.yml"))).unwrap();
        let service: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!((&service["name"], &service["repo"], &service["ecr_repo"]), (&(*name).into(), &(*repo).into(), &(*ecr_repo).into()));
        let found: Vec<&str> = service["needs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(found, *needs, "{name}");
    }
}
