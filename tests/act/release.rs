//! The release tree itself, through the real `uses:` line.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::repository::{Repository, escher};

fn binary(release: &Path) -> PathBuf {
    release.join(format!("dist/escher-deploy-{}-linux", std::env::consts::ARCH))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode()
}

/// A copy of the release tree that a story may change.
fn copy(release: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp").arg("-a").arg(release.join(".")).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    folder
}

#[tokio::test]
async fn a_release_holds_the_binary_and_its_mode() {
    let repository = Repository::orchestrator("deploy-dev.yml", escher("dev")).await;
    for name in [binary(&repository.release), repository.release.join("dist/launch")] {
        assert_eq!(mode(&name) & 0o111, 0o111, "{} is executable", name.display());
    }
    let sums = std::fs::read_to_string(repository.release.join("dist/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 3, "{sums}");
    for used in ["action.yml", "services/gateway.yml", "environments/prod.env"] {
        assert!(repository.release.join(used).exists(), "{used}");
    }
}

#[tokio::test]
async fn a_byte_that_has_changed_refuses_to_run() {
    let mut repository = Repository::orchestrator("deploy-dev.yml", escher("dev")).await;
    let changed = copy(&repository.release);
    let path = binary(changed.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    repository.release = changed.path().to_owned();
    let ran = repository.tag_push("v2.16.0-dev").await;
    ran.ends(1).says("does not match dist/SHA256SUMS: it was changed after the release").says("exit status 3");
    assert!(repository.sandbox.calls().is_empty(), "it was not started");
}

#[tokio::test]
async fn a_binary_that_lost_its_mode_refuses_to_run() {
    let mut repository = Repository::orchestrator("deploy-dev.yml", escher("dev")).await;
    let changed = copy(&repository.release);
    std::fs::set_permissions(binary(changed.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
    repository.release = changed.path().to_owned();
    repository.tag_push("v2.16.0-dev").await.ends(1).says("is not executable: the checkout lost its mode");
    assert!(repository.sandbox.calls().is_empty(), "it was not started");
}
