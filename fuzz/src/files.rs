//! Configuration files, read as the binary reads them: from a folder, by `config::load`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::config::load;
use crate::config::problem::{Origin, Problem};
use crate::domain::credential::looks_like;

const SERVICE: &str = "name: a\nrepo: a\necr_repo: a\n";
const ENVIRONMENT: &str = "DEPLOY_REGION=eu-west-1\nDEPLOY_CLUSTER=c\nDEPLOY_ROLE_ARN=arn:aws:iam::111122223333:role/r\n";

/// Memory, where the machine has a folder in it: the file is written for each input.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = base.join(format!("escher-deploy-fuzz-{}", std::process::id()));
        for kind in ["services", "environments"] {
            std::fs::create_dir_all(folder.join(kind)).expect("a folder");
        }
        folder
    })
}

/// Reads a configuration of one service and one environment.
fn read(service: &[u8], environment: &[u8]) -> Result<(), Vec<Problem>> {
    let folder = folder();
    std::fs::write(folder.join("services/a.yml"), service).expect("written");
    std::fs::write(folder.join("environments/dev.env"), environment).expect("written");
    let flags = [("config-dir", folder.display().to_string()), ("tag", "v1.2.3-dev".to_owned()), ("services", "all".to_owned())];
    let flags: BTreeMap<String, String> = flags.map(|(name, value)| (name.to_owned(), value)).into();
    load(&flags, &BTreeMap::new()).request.map(|_| ())
}

/// Problems name a line that is there, and show no credential.
fn are_sound(problems: &[Problem], text: &[u8], file: &str) {
    assert!(!problems.is_empty(), "a refusal says why");
    // YAML's line ends are three.
    let lines = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 2;
    for problem in problems {
        let shown = problem.to_string();
        assert!(!shown.trim().is_empty());
        assert_eq!(looks_like(&shown), None, "{shown}");
        if let Origin::File { path, line } = &problem.origin {
            assert!(*line <= lines || !path.ends_with(file), "line {line} of {lines}: {shown}");
        }
    }
}

/// Any text as a service's file.
pub fn services_file(text: &[u8]) {
    if let Err(problems) = read(text, ENVIRONMENT.as_bytes()) {
        are_sound(&problems, text, "a.yml");
    }
}

/// Any text as an environment's file.
pub fn dotenv(text: &[u8]) {
    let whole = [ENVIRONMENT.as_bytes(), text].concat();
    if let Err(problems) = read(SERVICE.as_bytes(), &whole) {
        are_sound(&problems, &whole, "dev.env");
    }
}
