//! ECR's operations.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Ecr, Fate, Image, Repository, digest};
use crate::ecs::stamp;
use crate::refusal::{Answer, Refusal, Table, known, page, text, texts, unknown_operation};
use crate::world::World;

type Operation = fn(&mut World, &Value) -> Answer;

/// What this ECR can do.
pub(crate) const OPERATIONS: Table<Operation, 5> = [
    ("DescribeRepositories", |world, body| describe_repositories(world, body)),
    ("DescribeImages", |world, body| describe_images(world, body)),
    ("BatchGetImage", |world, body| batch_get_image(world, body)),
    ("PutImage", put_image),
    ("GetAuthorizationToken", |world, _| Ok(authorization(&world.ecr, world.epoch + world.real))),
];

/// Carries out one operation.
pub(crate) fn answer(world: &mut World, operation: &str, body: &Value) -> Answer {
    world.ecr.sync(world.now);
    let perform = known(&OPERATIONS, operation).ok_or_else(|| unknown_operation("ECR", operation))?;
    perform(world, body)
}

/// The registry that the request means: its own account's, unless it says so.
fn registry<'a>(world: &'a World, body: &'a Value) -> &'a str {
    text(body, "registryId").unwrap_or(&world.account)
}

fn no_repository(name: &str, registry: &str) -> Refusal {
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
    Refusal::bad("RepositoryNotFoundException", message)
}

fn repository<'a>(world: &'a World, body: &Value) -> Result<&'a Repository, Refusal> {
    let (name, registry) = (text(body, "repositoryName").unwrap_or_default(), registry(world, body));
    let found = world.ecr.repository(name).filter(|_| world.ecr.registry == registry);
    found.ok_or_else(|| no_repository(name, registry))
}

fn describe_repositories(world: &World, body: &Value) -> Answer {
    let registry = registry(world, body);
    let names = texts(body, "repositoryNames");
    let here = || world.ecr.repositories.iter().filter(|_| world.ecr.registry == registry);
    if let Some(unknown) = names.iter().find(|name| !here().any(|it| it.name == **name)) {
        return Err(no_repository(unknown, registry));
    }
    let wanted = here().filter(|it| names.is_empty() || names.contains(&it.name));
    let wire = |it: &Repository| {
        json!({
            "repositoryArn": format!("arn:aws:ecr:{}:{registry}:repository/{}", world.ecr.region, it.name),
            "registryId": registry,
            "repositoryName": it.name,
            "repositoryUri": format!("{}/{}", world.ecr.host(), it.name),
            "createdAt": stamp(world.epoch, -30_000_000.0),
            "imageTagMutability": it.mutability,
            "imageScanningConfiguration": {"scanOnPush": false},
            "encryptionConfiguration": {"encryptionType": "AES256"}
        })
    };
    let (found, next) = page(&wanted.map(wire).collect::<Vec<_>>(), body, 1000);
    Ok(with_token(json!({"repositories": found}), next))
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    answer
}

/// The image that `{imageTag, imageDigest}` names; both must hold if both are given.
fn pick<'a>(repository: &'a Repository, id: &Value) -> Option<&'a Image> {
    let (tag, digest) = (text(id, "imageTag"), text(id, "imageDigest"));
    let found = repository.image(digest.or(tag)?)?;
    tag.is_none_or(|tag| found.tags.iter().any(|known| known == tag)).then_some(found)
}

fn describe_images(world: &World, body: &Value) -> Answer {
    let repository = repository(world, body)?;
    let registry = registry(world, body);
    let wire = |image: &Image| describe(image, repository, registry, world.epoch);
    if let Some(ids) = body["imageIds"].as_array().filter(|ids| !ids.is_empty()) {
        let found: Result<Vec<Value>, Refusal> =
            ids.iter().map(|id| pick(repository, id).map(wire).ok_or_else(|| no_image(id, &repository.name, registry))).collect();
        return Ok(json!({"imageDetails": found?}));
    }
    let wanted = repository.images.iter().filter(|image| match body["filter"]["tagStatus"].as_str() {
        Some("TAGGED") => !image.tags.is_empty(),
        Some("UNTAGGED") => image.tags.is_empty(),
        _ => true,
    });
    let all: Vec<Value> = wanted.map(wire).collect();
    let limit = if body.get("maxResults").is_some() { 1000 } else { 100 };
    let (found, next) = page(&all, body, limit);
    Ok(with_token(json!({"imageDetails": found}), next))
}

fn no_image(id: &Value, repository: &str, registry: &str) -> Refusal {
    let (tag, digest) = (text(id, "imageTag").unwrap_or("null"), text(id, "imageDigest").unwrap_or("null"));
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository with name '{repository}' in the registry with id '{registry}'"
    );
    Refusal::bad("ImageNotFoundException", message)
}

fn describe(image: &Image, repository: &Repository, registry: &str, epoch: f64) -> Value {
    let mut wire = json!({
        "registryId": registry,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": image.tags,
        "imageSizeInBytes": 31_460_121,
        "imagePushedAt": stamp(epoch, image.pushed_at),
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "imageStatus": image.status
    });
    if image.tags.is_empty()
        && let Some(wire) = wire.as_object_mut()
    {
        wire.shift_remove("imageTags");
    }
    wire
}

fn wire_image(image: &Image, tag: Option<&str>, repository: &str, registry: &str) -> Value {
    let mut id = json!({"imageDigest": image.digest});
    if let Some(tag) = tag {
        id["imageTag"] = json!(tag);
    }
    json!({
        "registryId": registry,
        "repositoryName": repository,
        "imageId": id,
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type
    })
}

fn batch_get_image(world: &World, body: &Value) -> Answer {
    let repository = repository(world, body)?;
    let registry = registry(world, body);
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in body["imageIds"].as_array().into_iter().flatten() {
        match pick(repository, id) {
            Some(image) => images.push(wire_image(image, text(id, "imageTag"), &repository.name, registry)),
            None => failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"
            })),
        }
    }
    Ok(json!({"images": images, "failures": failures}))
}

fn put_image(world: &mut World, body: &Value) -> Answer {
    let (name, registry) = (repository(world, body)?.name.clone(), registry(world, body).to_owned());
    let manifest = text(body, "imageManifest").ok_or_else(|| Refusal::parameter("imageManifest is required."))?;
    let tag = text(body, "imageTag");
    let own = digest(manifest.as_bytes());
    if let Some(claimed) = text(body, "imageDigest").filter(|claimed| *claimed != own) {
        let message = format!("The provided image digest '{claimed}' does not match the digest '{own}' that was calculated for the image.");
        return Err(Refusal::bad("ImageDigestDoesNotMatchException", message));
    }
    let now = world.now;
    let (backing, password) = (world.ecr.backing.clone(), world.ecr.password.clone());
    let repository = world.ecr.repository_mut(&name);
    if let Some(tag) = tag {
        refuse_taken_tag(repository, tag, &own, &registry)?;
    }
    let known = repository.image(&own).cloned();
    let image = known.clone().unwrap_or_else(|| unknown_image(&own, manifest, text(body, "imageManifestMediaType"), tag, now));
    if let (Some(backing), Some(tag)) = (&backing, tag) {
        let put = backing.put(&password, &name, tag, (manifest, &image.media_type));
        put.map_err(|answer| Refusal::new(500, "ServerException", answer))?;
    }
    if known.is_none() {
        repository.images.push(image);
    }
    for image in &mut repository.images {
        image.tags.retain(|known| Some(known.as_str()) != tag);
        if image.digest == own {
            image.tags.extend(tag.map(str::to_owned));
        }
    }
    let image = repository.image(&own).map(|image| wire_image(image, tag, &name, &registry));
    Ok(json!({"image": image}))
}

fn refuse_taken_tag(repository: &Repository, tag: &str, own: &str, registry: &str) -> Result<(), Refusal> {
    let Some(taken) = repository.image(tag) else { return Ok(()) };
    let name = &repository.name;
    // An immutable repository refuses the very same image, too.
    if repository.mutability.starts_with("IMMUTABLE") {
        let message = format!(
            "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
        );
        return Err(Refusal::bad("ImageTagAlreadyExistsException", message));
    }
    if taken.digest == own {
        let message = format!(
            "Image with digest '{own}' and tag '{tag}' already exists in the repository with name '{name}' in registry with id '{registry}'"
        );
        return Err(Refusal::bad("ImageAlreadyExistsException", message));
    }
    Ok(())
}

/// An image that came by its manifest alone; it calls itself by its tag.
fn unknown_image(own: &str, manifest: &str, media_type: Option<&str>, tag: Option<&str>, now: f64) -> Image {
    let inside = serde_json::from_str::<Value>(manifest).ok();
    let inside = inside.as_ref().and_then(|manifest| manifest["mediaType"].as_str());
    let version = tag.unwrap_or("unknown");
    Image {
        digest: own.to_owned(),
        tags: Vec::new(),
        version: version.strip_prefix('v').unwrap_or(version).to_owned(),
        fate: Fate::Well,
        manifest: manifest.to_owned(),
        media_type: media_type.or(inside).unwrap_or("application/vnd.docker.distribution.manifest.v2+json").to_owned(),
        pushed_at: now,
        status: "ACTIVE".to_owned(),
    }
}

fn authorization(ecr: &Ecr, now: f64) -> Value {
    let endpoint = ecr.proxy_endpoint.clone().unwrap_or_else(|| match ecr.backing {
        Some(_) => format!("http://{}", ecr.host()),
        None => format!("https://{}", ecr.host()),
    });
    json!({"authorizationData": [{
        "authorizationToken": STANDARD.encode(format!("AWS:{}", ecr.password)),
        "expiresAt": stamp(now, 43_200.0),
        "proxyEndpoint": endpoint
    }]})
}
