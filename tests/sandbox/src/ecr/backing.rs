//! A real registry behind ECR's API: docker's own `registry` with its files in a folder.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Fate, Image, Repository};

/// No answer of a registry on this machine takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the registry is, and where it keeps its files
/// (<https://distribution.github.io/distribution/storage-drivers/filesystem/>).
#[derive(Debug, Clone)]
pub struct Backing {
    /// `storage.filesystem.rootdirectory`.
    pub folder: PathBuf,
    /// `127.0.0.1:5000`; ECR's own addresses then name it, too.
    pub address: String,
}

impl Backing {
    fn root(&self) -> PathBuf {
        self.folder.join("docker/registry/v2")
    }

    /// Takes over what the registry holds of a repository; what it doesn't hold stays, without tags that it has.
    pub(super) fn read(&self, repository: &mut Repository, now: f64) {
        let folder = self.root().join("repositories").join(&repository.name).join("_manifests");
        let mut held: Vec<(String, Vec<String>)> = Vec::new();
        let link = |path: PathBuf| std::fs::read_to_string(path).ok().filter(|text| text.starts_with("sha256:"));
        for revision in names(&folder.join("revisions/sha256")) {
            if let Some(digest) = link(folder.join("revisions/sha256").join(&revision).join("link")) {
                held.push((digest, Vec::new()));
            }
        }
        for tag in names(&folder.join("tags")) {
            let Some(digest) = link(folder.join("tags").join(&tag).join("current/link")) else { continue };
            match held.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, tags)) => tags.push(tag),
                None => held.push((digest, vec![tag])),
            }
        }
        for image in &mut repository.images {
            image.tags.retain(|tag| !held.iter().any(|(digest, tags)| *digest != image.digest && tags.contains(tag)));
        }
        for (digest, tags) in held {
            match repository.images.iter_mut().find(|image| image.digest == digest) {
                Some(image) => image.tags = tags,
                None => repository.images.extend(self.image(digest, tags, now)),
            }
        }
    }

    fn image(&self, digest: String, tags: Vec<String>, now: f64) -> Option<Image> {
        let manifest = self.blob(&digest)?;
        let parsed: Value = serde_json::from_str(&manifest).unwrap_or_default();
        let config = parsed["config"]["digest"].as_str().and_then(|digest| self.blob(digest)).unwrap_or_default();
        let config: Value = serde_json::from_str(&config).unwrap_or_default();
        let version = config["config"]["Labels"]["org.opencontainers.image.version"].as_str();
        let media_type = parsed["mediaType"].as_str().unwrap_or("application/vnd.docker.distribution.manifest.v2+json").to_owned();
        let version = version.map(str::to_owned).unwrap_or_else(|| digest.clone());
        Some(Image { digest, tags, version, fate: Fate::Well, manifest, media_type, pushed_at: now, status: "ACTIVE".to_owned() })
    }

    fn blob(&self, digest: &str) -> Option<String> {
        let hex = digest.strip_prefix("sha256:")?;
        std::fs::read_to_string(self.root().join("blobs/sha256").join(hex.get(..2)?).join(hex).join("data")).ok()
    }

    /// Puts a manifest, byte for byte.
    ///
    /// # Errors
    /// What the registry said.
    pub(super) fn put(&self, password: &str, repository: &str, tag: &str, image: (&str, &str)) -> Result<(), String> {
        let (manifest, media_type) = image;
        let auth = STANDARD.encode(format!("AWS:{password}"));
        let request = format!(
            "PUT /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {auth}\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{manifest}",
            self.address,
            manifest.len()
        );
        let answer = exchange(&self.address, &request).map_err(|error| error.to_string())?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status == "201" { Ok(()) } else { Err(answer) }
    }
}

fn exchange(address: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
