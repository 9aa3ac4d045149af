use serde_json::{Value, json};

use super::{deploy, ecs, ecs_error};
use crate::World;

fn migration(token: &str) -> Value {
    json!({
        "taskDefinition": "escher-dev-asset-store",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "overrides": {"containerOverrides": [{"name": "asset-store", "command": ["./migrate", "up"]}]},
        "startedBy": "deploy-7",
        "clientToken": token
    })
}

#[test]
fn a_one_off_task_runs_once_for_each_token() {
    let mut world = World::escher("dev");
    world.ecs.one_off_exit = 3;
    let first = ecs(&mut world, "RunTask", migration("a"));
    let second = ecs(&mut world, "RunTask", migration("a"));
    let arn = first["tasks"][0]["taskArn"].clone();
    assert_eq!(arn, second["tasks"][0]["taskArn"]);
    assert_eq!(world.ecs.one_off.len(), 1);
    world.advance(14.0);
    assert_eq!(ecs(&mut world, "DescribeTasks", json!({"tasks": [arn]}))["tasks"][0]["lastStatus"], "RUNNING");
    world.advance(18.0);
    let task = ecs(&mut world, "DescribeTasks", json!({"tasks": [arn]}))["tasks"][0].clone();
    assert_eq!(
        (&task["lastStatus"], &task["containers"][0]["exitCode"], &task["group"]),
        (&json!("STOPPED"), &json!(3), &json!("family:escher-dev-asset-store"))
    );
    assert_eq!(world.logs.streams[0].lines[0].message, "running [\"./migrate\",\"up\"]");
    let mut nowhere = migration("b");
    nowhere["launchType"] = Value::Null;
    assert_eq!(ecs_error(&mut world, "RunTask", nowhere).1, "No Container Instances were found in your cluster.");
}

#[test]
fn tasks_are_listed_by_service_and_state_and_page_by_page() {
    let mut world = World::escher("dev");
    let id = deploy(&mut world, "gateway");
    world.advance(20.0);
    let all = ecs(&mut world, "ListTasks", json!({"serviceName": "gateway"}));
    assert_eq!(all["taskArns"].as_array().unwrap().len(), 4);
    let page = ecs(&mut world, "ListTasks", json!({"serviceName": "gateway", "maxResults": 3}));
    let rest = ecs(&mut world, "ListTasks", json!({"serviceName": "gateway", "maxResults": 3, "nextToken": page["nextToken"]}));
    assert_eq!(rest["taskArns"].as_array().unwrap().len(), 1);
    assert!(rest.get("nextToken").is_none());
    assert_eq!(ecs(&mut world, "ListTasks", json!({"startedBy": id}))["taskArns"].as_array().unwrap().len(), 2);
    assert_eq!(ecs_error(&mut world, "ListTasks", json!({"startedBy": id, "serviceName": "gateway"})).0, "InvalidParameterException");
    assert_eq!(ecs_error(&mut world, "DescribeTasks", json!({"tasks": []})).1, "Tasks cannot be empty.");
    let unknown = ecs(&mut world, "DescribeTasks", json!({"tasks": ["0123"]}));
    assert_eq!(unknown["failures"][0]["reason"], "MISSING");
}

#[test]
fn a_task_tells_its_address_digest_and_health() {
    let mut world = World::escher("dev");
    let arns = ecs(&mut world, "ListTasks", json!({"serviceName": "asset-store"}))["taskArns"].clone();
    let task = ecs(&mut world, "DescribeTasks", json!({"tasks": arns}))["tasks"][0].clone();
    assert_eq!(task["healthStatus"], "HEALTHY");
    let address = &task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"];
    assert_eq!(task["attachments"][0]["details"][2], json!({"name": "privateIPv4Address", "value": address}));
    assert_eq!(task["containers"][0]["imageDigest"], world.image_mut("escher-asset-store", "v2.15.0-dev").digest);
    assert_eq!(task["containers"][1]["healthStatus"], "UNKNOWN");
    ecs(&mut world, "StopTask", json!({"task": task["taskArn"], "reason": "drill"}));
    world.advance(60.0);
    let arns = ecs(&mut world, "ListTasks", json!({"serviceName": "asset-store", "desiredStatus": "STOPPED"}))["taskArns"].clone();
    let task = ecs(&mut world, "DescribeTasks", json!({"tasks": arns}))["tasks"][0].clone();
    assert_eq!((&task["stopCode"], &task["stoppedReason"]), (&json!("UserInitiated"), &json!("drill")));
}
