//! Amazon ECR: repositories and the images in them.

use std::collections::BTreeMap;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::types::ImageIdentifier;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::aws::{Aws, FreshCredentials};
use super::call::{CallError, NO_ANSWER};
use super::console::Masks;
use crate::domain::environment::Environment;
use crate::domain::names::{Digest, EcrRepository};

/// Without these ECR translates manifests, and a translated one has another digest.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The one registry of all environments.
#[derive(Clone, Debug)]
pub struct Ecr {
    client: Client,
    registry: Option<String>,
    host: String,
}

/// An image as the registry shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its content address.
    pub digest: Digest,
    /// All its tags.
    pub tags: Vec<String>,
}

/// What docker needs to push, good for twelve hours.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The registry's host.
    pub host: String,
    /// User and password, as docker's configuration has them.
    pub auth: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.host)
    }
}

impl Ecr {
    /// The registry's client.
    pub fn new(aws: &Aws, environment: &Environment) -> Self {
        let config = aws_sdk_ecr::config::Builder::from(&aws.config).region(Region::new(environment.ecr_region.clone()));
        let config = config.retry_classifier(FreshCredentials).build();
        let account = environment.ecr_account_id.as_ref().unwrap_or(&aws.account);
        let suffix = if environment.ecr_region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = format!("{account}.dkr.ecr.{}.{suffix}", environment.ecr_region);
        Self { client: Client::from_conf(config), registry: environment.ecr_account_id.clone(), host }
    }

    /// The addresses of repositories; those that don't exist are left out.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn addresses(&self, names: &[EcrRepository]) -> Result<BTreeMap<EcrRepository, String>, CallError> {
        match self.addresses_of(names).await {
            // One missing repository fails the call for all: ask for each.
            Err(error) if error.code == "RepositoryNotFoundException" && names.len() > 1 => {
                let mut found = BTreeMap::new();
                for name in names {
                    match self.addresses_of(std::slice::from_ref(name)).await {
                        Err(error) if error.code == "RepositoryNotFoundException" => {}
                        one => found.extend(one?),
                    }
                }
                Ok(found)
            }
            Err(error) if error.code == "RepositoryNotFoundException" => Ok(BTreeMap::new()),
            answer => answer,
        }
    }

    /// A repository's address by the rule, for where it may not be asked for
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
    pub fn usual_address(&self, name: &EcrRepository) -> String {
        format!("{}/{name}", self.host)
    }

    async fn addresses_of(&self, names: &[EcrRepository]) -> Result<BTreeMap<EcrRepository, String>, CallError> {
        let mut found = BTreeMap::new();
        for some in names.chunks(100) {
            let names = some.iter().map(ToString::to_string).collect();
            let request = self.client.describe_repositories().set_registry_id(self.registry.clone()).set_repository_names(Some(names));
            let answer = request.send().await.map_err(|error| CallError::new("DescribeRepositories", &error))?;
            let pairs = answer.repositories().iter().filter_map(|one| Some((one.repository_name()?, one.repository_uri()?)));
            found.extend(pairs.map(|(name, uri)| (EcrRepository::from(name), uri.to_owned())));
        }
        Ok(found)
    }

    /// A login for docker, masked before it is used.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn login(&self, masks: &Masks) -> Result<Login, CallError> {
        const OPERATION: &str = "GetAuthorizationToken";
        // Only one's own registry answers without its id; it is the old way to ask for another.
        let request = self.client.get_authorization_token();
        #[expect(deprecated, reason = "ECR's only way to name a registry of another account")]
        let request = request.set_registry_ids(self.registry.clone().map(|id| vec![id]));
        let answer = request.send().await.map_err(|error| CallError::new(OPERATION, &error))?;
        let data = answer.authorization_data().first();
        let pair = data.and_then(|data| Some((data.proxy_endpoint()?, data.authorization_token()?)));
        let Some((endpoint, auth)) = pair else {
            let message = "the answer holds no authorization".to_owned();
            return Err(CallError { operation: OPERATION, code: NO_ANSWER.to_owned(), message });
        };
        masks.add(auth);
        if let Some(password) = STANDARD.decode(auth).ok().and_then(|pair| String::from_utf8(pair).ok()) {
            masks.add(password.strip_prefix("AWS:").unwrap_or(&password));
        }
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host).trim_end_matches('/');
        Ok(Login { host: host.to_owned(), auth: auth.to_owned() })
    }

    /// The image behind a tag; none where there is none.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn by_tag(&self, repository: &EcrRepository, tag: &str) -> Result<Option<Stored>, CallError> {
        self.image(repository, ImageIdentifier::builder().image_tag(tag).build()).await
    }

    /// Every tag of a repository.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn tags(&self, repository: &EcrRepository) -> Result<Vec<String>, CallError> {
        let request = self.client.describe_images().set_registry_id(self.registry.clone()).repository_name(repository.as_str());
        let mut pages = request.into_paginator().send();
        let mut tags = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("DescribeImages", &error))?;
            tags.extend(page.image_details().iter().flat_map(|detail| detail.image_tags().to_vec()));
        }
        Ok(tags)
    }

    /// The image of a digest; none where there is none.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn by_digest(&self, repository: &EcrRepository, digest: &Digest) -> Result<Option<Stored>, CallError> {
        self.image(repository, ImageIdentifier::builder().image_digest(digest.as_str()).build()).await
    }

    /// Gives an image one more tag, its manifest byte for byte
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html>).
    ///
    /// # Errors
    /// `CallError`; a tag that the image bears already is none.
    pub async fn tag(&self, repository: &EcrRepository, digest: &Digest, tag: &str) -> Result<(), CallError> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let request = self.client.batch_get_image().set_registry_id(self.registry.clone()).repository_name(repository.as_str());
        let request = request.image_ids(id).set_accepted_media_types(Some(MEDIA_TYPES.map(str::to_owned).to_vec()));
        let answer = request.send().await.map_err(|error| CallError::new("BatchGetImage", &error))?;
        let image = answer.images().first();
        let Some(manifest) = image.and_then(|image| image.image_manifest()) else {
            let message = format!("{repository} no longer holds {digest}");
            return Err(CallError { operation: "BatchGetImage", code: "ImageNotFound".to_owned(), message });
        };
        let request = self.client.put_image().set_registry_id(self.registry.clone()).repository_name(repository.as_str());
        let request = request
            .image_manifest(manifest)
            .set_image_manifest_media_type(image.and_then(|image| image.image_manifest_media_type().map(str::to_owned)))
            .image_digest(digest.as_str())
            .image_tag(tag);
        match request.send().await.map_err(|error| CallError::new("PutImage", &error)) {
            Err(error) if matches!(error.code.as_str(), "ImageAlreadyExistsException" | "ImageTagAlreadyExistsException") => {
                let bears_it = self.by_tag(repository, tag).await?.is_some_and(|stored| stored.digest == *digest);
                if bears_it { Ok(()) } else { Err(error) }
            }
            other => other.map(|_| ()),
        }
    }

    async fn image(&self, repository: &EcrRepository, id: ImageIdentifier) -> Result<Option<Stored>, CallError> {
        let request = self.client.describe_images().set_registry_id(self.registry.clone());
        let sent = request.repository_name(repository.as_str()).image_ids(id).send().await;
        match sent.map_err(|error| CallError::new("DescribeImages", &error)) {
            Ok(answer) => Ok(answer
                .image_details()
                .first()
                .and_then(|detail| Some(Stored { digest: Digest::from(detail.image_digest()?), tags: detail.image_tags().to_vec() }))),
            Err(error) if error.code == "ImageNotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }
}
