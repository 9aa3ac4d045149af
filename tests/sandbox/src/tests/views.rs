use serde_json::json;

use super::{call, deploy, ecs, ecs_error, look, request, send, states};
use crate::World;

#[test]
fn reads_may_be_stale_after_an_update() {
    let mut world = World::escher("dev");
    world.ecs.stale_reads = 5.0;
    let old = world.service_mut("gateway").primary_id();
    let new = deploy(&mut world, "gateway");
    world.advance(4.9);
    assert_eq!(states(&look(&mut world, "gateway")), [(old, "PRIMARY".to_owned(), "COMPLETED".to_owned())]);
    world.advance(5.1);
    assert_eq!(states(&look(&mut world, "gateway"))[0].0, new);
}

#[test]
fn an_unknown_service_is_missing_and_eleven_are_too_many() {
    let mut world = World::escher("dev");
    let answer = ecs(&mut world, "DescribeServices", json!({"services": ["gateway", "gatewy"]}));
    assert_eq!(answer["services"].as_array().unwrap().len(), 1);
    assert_eq!(answer["failures"], json!([{"arn": "arn:aws:ecs:us-west-1:111122223333:service/escher-dev/gatewy", "reason": "MISSING"}]));
    let arn = answer["services"][0]["serviceArn"].clone();
    assert_eq!(ecs(&mut world, "DescribeServices", json!({"services": [arn]}))["failures"], json!([]));
    let eleven: Vec<String> = (0..11).map(|n| format!("s{n}")).collect();
    assert_eq!(ecs_error(&mut world, "DescribeServices", json!({"services": eleven})).0, "InvalidParameterException");
    assert_eq!(ecs_error(&mut world, "UpdateService", json!({"service": "gatewy"})).0, "ServiceNotFoundException");
    world.service_mut("gateway").status = "DRAINING".to_owned();
    let refused = ecs_error(&mut world, "UpdateService", json!({"service": "gateway", "forceNewDeployment": true}));
    assert_eq!(refused, ("ServiceNotActiveException".to_owned(), "Service was not ACTIVE.".to_owned()));
}

#[test]
fn times_are_epoch_seconds_with_milliseconds() {
    let mut world = World::escher("dev");
    world.epoch = 1_783_015_783.454;
    deploy(&mut world, "gateway");
    assert_eq!(look(&mut world, "gateway")["deployments"][0]["createdAt"], json!(1_783_015_783.454));
}

#[test]
fn the_load_balancer_knows_its_targets() {
    let mut world = World::escher("dev");
    let group = world.service_mut("gateway").target_group.clone();
    let mut ask = request("", &json!(null));
    ask.headers.retain(|(name, _)| name == "authorization");
    ask.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    ask.body = format!("Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn={}", group.replace(':', "%3A").replace('/', "%2F"));
    let healthy = send(&mut world, &ask);
    assert_eq!((healthy.status, healthy.body.matches("<State>healthy</State>").count()), (200, 2));
    let ip = world.service_mut("gateway").tasks[0].ip.clone();
    assert!(healthy.body.contains(&format!("<Id>{ip}</Id>")));
    deploy(&mut world, "gateway");
    world.advance(20.0);
    assert_eq!(send(&mut world, &ask).body.matches("<State>initial</State>").count(), 2);
    world.advance(40.0);
    assert_eq!(send(&mut world, &ask).body.matches("<State>draining</State>").count(), 2);
    ask.body = "Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn=nothing".to_owned();
    let unknown = send(&mut world, &ask);
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("<Code>TargetGroupNotFound</Code>"));
}

#[test]
fn ecr_finds_images_by_tag_and_by_digest_and_tags_them_again() {
    let mut world = World::escher("dev");
    let ecr = |operation: &str| format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let wanted = json!({"repositoryName": "escher-gateway", "imageIds": [{"imageTag": "v2.16.0-dev"}]});
    let (_, found) = call(&mut world, &ecr("DescribeImages"), wanted.clone());
    assert_eq!(found["imageDetails"][0]["imageTags"].as_array().unwrap().len(), 3);
    let (_, got) = call(&mut world, &ecr("BatchGetImage"), wanted);
    let manifest = got["images"][0]["imageManifest"].as_str().unwrap().to_owned();
    assert_eq!(crate::digest(manifest.as_bytes()), found["imageDetails"][0]["imageDigest"]);
    let put = json!({"repositoryName": "escher-gateway", "imageManifest": manifest, "imageTag": "passed-dev-2.16.0"});
    assert_eq!(call(&mut world, &ecr("PutImage"), put.clone()).0, 200);
    assert_eq!(call(&mut world, &ecr("PutImage"), put.clone()).1["__type"], "ImageAlreadyExistsException");
    world.ecr.repository_mut("escher-gateway").mutability = "IMMUTABLE".to_owned();
    assert_eq!(call(&mut world, &ecr("PutImage"), put).1["__type"], "ImageTagAlreadyExistsException");
    assert_eq!(world.image_mut("escher-gateway", "passed-dev-2.16.0").version, "2.16.0-dev");
    let (_, missing) =
        call(&mut world, &ecr("DescribeImages"), json!({"repositoryName": "escher-gateway", "imageIds": [{"imageTag": "v9"}]}));
    assert_eq!(
        missing["message"],
        "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name 'escher-gateway' in the registry with id '111122223333'"
    );
    let (_, elsewhere) =
        call(&mut world, &ecr("DescribeImages"), json!({"repositoryName": "escher-gateway", "registryId": "999988887777"}));
    assert_eq!(elsewhere["message"], "The repository with name 'escher-gateway' does not exist in the registry with id '999988887777'");
    let (_, page) = call(&mut world, &ecr("DescribeImages"), json!({"repositoryName": "escher-gateway", "maxResults": 1}));
    assert_eq!(page["imageDetails"].as_array().unwrap().len(), 1);
    assert!(page["nextToken"].is_string());
}

#[test]
fn secrets_are_found_by_name_arn_and_partial_arn() {
    let mut world = World::escher("dev");
    let arn = world.secret("escher/dev/gateway/api-key");
    for id in ["escher/dev/gateway/api-key", arn.as_str(), &arn[..arn.len() - 7]] {
        let (_, found) = call(&mut world, "secretsmanager.DescribeSecret", json!({"SecretId": id}));
        assert_eq!(found["ARN"], arn);
        assert_eq!(found["VersionIdsToStages"].as_object().unwrap().len(), 1);
    }
    let (status, missing) = call(&mut world, "secretsmanager.GetSecretValue", json!({"SecretId": "nothing"}));
    assert_eq!(status, 400);
    assert_eq!(missing, json!({"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find the specified secret."}));
}
