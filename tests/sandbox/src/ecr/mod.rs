//! ECR: repositories, images, and what each image makes of its tasks.

mod api;
mod backing;

pub(crate) use api::{OPERATIONS, answer};
pub use backing::Backing;

use serde_json::json;
use sha2::{Digest, Sha256};

/// The registry.
#[derive(Debug, Clone)]
pub struct Ecr {
    /// Account that owns it.
    pub registry: String,
    /// Its region.
    pub region: String,
    /// What GetAuthorizationToken gives as `proxyEndpoint`; `None`: the address that ECR would have.
    pub proxy_endpoint: Option<String>,
    /// The password that it gives docker.
    pub password: String,
    /// A real registry that holds the images.
    pub backing: Option<Backing>,
    /// The repositories.
    pub repositories: Vec<Repository>,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Name.
    pub name: String,
    /// `MUTABLE` or `IMMUTABLE`.
    pub mutability: String,
    /// Its images, oldest first.
    pub images: Vec<Image>,
}

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    /// `sha256:…` of the manifest's bytes.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What its `/health` answers.
    pub version: String,
    /// What becomes of its tasks.
    pub fate: Fate,
    /// The manifest, byte for byte.
    pub manifest: String,
    /// `imageManifestMediaType`.
    pub media_type: String,
    /// Sandbox seconds.
    pub pushed_at: f64,
    /// `ACTIVE`, or `ARCHIVED`.
    pub status: String,
}

/// What becomes of an image's tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// They run and answer.
    Well,
    /// They exit.
    Crashes {
        /// Exit code.
        exit_code: i32,
        /// Sandbox seconds after RUNNING.
        after: f64,
    },
    /// They become healthy and exit then, again and again.
    CrashesWhenHealthy {
        /// Exit code.
        exit_code: i32,
        /// Sandbox seconds after they were healthy.
        after: f64,
    },
    /// Their health check fails; where nothing checks, they run on.
    Unhealthy,
    /// The image can't be pulled, although the registry lists it.
    CannotPull,
    /// Healthy for ECS, but `/health` answers this status.
    Answers {
        /// HTTP status.
        status: u16,
    },
    /// Healthy, but `/health` names another version.
    AnswersVersion(String),
    /// The kernel kills them five seconds after RUNNING.
    OutOfMemory,
    /// They stay PENDING for ever.
    NeverStarts,
}

/// What an image reference leads to.
#[derive(Debug)]
pub enum Found<'a> {
    /// An image here.
    Image(&'a Image),
    /// This registry, but no such image.
    Missing,
    /// Another registry.
    Elsewhere,
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// 40 hexadecimal digits made up from some words: the commit (`commit`) or tree (`tree`) of a pushed image.
pub fn made_up(kind: &str, repository: &str, version: &str) -> String {
    let hash = format!("{:x}", Sha256::digest(format!("{kind}:{repository}:{version}")));
    hash[..40].to_owned()
}

impl Ecr {
    pub(crate) fn new(account: &str, region: &str) -> Ecr {
        Ecr {
            registry: account.to_owned(),
            region: region.to_owned(),
            proxy_endpoint: None,
            password: "sandbox-registry-password".to_owned(),
            backing: None,
            repositories: Vec::new(),
        }
    }

    /// `<account>.dkr.ecr.<region>.amazonaws.com`, or the real registry's address.
    pub fn host(&self) -> String {
        if let Some(backing) = &self.backing {
            return backing.address.clone();
        }
        format!("{}.dkr.ecr.{}.amazonaws.com", self.registry, self.region)
    }

    /// Takes over what a real registry holds.
    pub(crate) fn sync(&mut self, now: f64) {
        if let Some(backing) = self.backing.clone() {
            self.repositories.iter_mut().for_each(|repository| backing.read(repository, now));
        }
    }

    /// A repository by name.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.name == name)
    }

    pub(crate) fn image_mut(&mut self, repository: &str, id: &str) -> Option<&mut Image> {
        let repository = self.repositories.iter_mut().find(|it| it.name == repository)?;
        repository.images.iter_mut().find(|image| image.is(id))
    }

    /// An image of whatever repository, by digest.
    pub fn by_digest(&self, digest: &str) -> Option<&Image> {
        self.repositories.iter().flat_map(|repository| &repository.images).find(|image| image.digest == digest)
    }

    /// Follows `host/repository:tag`, `host/repository@digest` or both at once, where the digest decides.
    pub fn find(&self, reference: &str) -> Found<'_> {
        let Some(rest) = reference.strip_prefix(&self.host()).and_then(|rest| rest.strip_prefix('/')) else { return Found::Elsewhere };
        let (name, digest) = rest.split_once('@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
        let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let found = self.repository(name).and_then(|repository| repository.image(digest.unwrap_or(tag)));
        found.map_or(Found::Missing, Found::Image)
    }

    /// A repository by name, made if there is none.
    pub fn repository_mut(&mut self, name: &str) -> &mut Repository {
        let at = self.repositories.iter().position(|it| it.name == name).unwrap_or_else(|| {
            self.repositories.push(Repository { name: name.to_owned(), mutability: "MUTABLE".to_owned(), images: Vec::new() });
            self.repositories.len() - 1
        });
        &mut self.repositories[at]
    }

    pub(crate) fn push(&mut self, repository: &str, version: &str, now: f64) -> String {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let layer = |what: &str| digest(format!("{what}:{repository}:{version}").as_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer("config"), "size": 2841},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer("layer"), "size": 31_457_280}],
            "annotations": {"org.opencontainers.image.version": version}
        })
        .to_string();
        let digest = digest(manifest.as_bytes());
        let tags = vec![
            format!("v{version}"),
            format!("sha-{}", made_up("commit", repository, version)),
            format!("tree-{}", made_up("tree", repository, version)),
        ];
        let here = self.repository_mut(repository);
        if here.image(&digest).is_none() {
            here.images.push(Image {
                digest: digest.clone(),
                tags,
                version: version.to_owned(),
                fate: Fate::Well,
                manifest,
                media_type: media_type.to_owned(),
                pushed_at: now,
                status: "ACTIVE".to_owned(),
            });
        }
        digest
    }
}

impl Repository {
    /// An image by tag or digest.
    pub fn image(&self, id: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.is(id))
    }
}

impl Image {
    fn is(&self, id: &str) -> bool {
        self.digest == id || self.tags.iter().any(|tag| tag == id)
    }
}
