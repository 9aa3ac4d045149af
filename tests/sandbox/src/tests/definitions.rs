use serde_json::json;

use super::{ecs, ecs_error};
use crate::World;

#[test]
fn a_definition_keeps_what_no_client_knows() {
    let mut world = World::escher("dev");
    let described = ecs(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "escher-dev-gateway", "include": ["TAGS"]}));
    let mut body = described["taskDefinition"].clone();
    assert_eq!(body["enableFaultInjection"], true);
    assert_eq!(body["futureSchedulingHints"], json!({"spread": "zone", "weights": [1, 2.5], "nested": {"keep": null}}));
    assert_eq!(body["containerDefinitions"][0]["dockerLabels"]["a"], "");
    assert_eq!(body["volumes"], json!([]));
    assert_eq!(described["tags"][0]["key"], "team");
    let read_only = ecs_error(&mut world, "RegisterTaskDefinition", body.clone());
    assert_eq!(read_only.0, "ClientException");
    let members = body.as_object_mut().unwrap();
    for key in ["taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"] {
        members.remove(key).expect(key);
    }
    body["somethingNew"] = json!({"deep": [1, {"er": ""}]});
    body["tags"] = json!([]);
    assert_eq!(ecs_error(&mut world, "RegisterTaskDefinition", body.clone()).1, "Tags can not be empty.");
    body["tags"] = described["tags"].clone();
    let registered = ecs(&mut world, "RegisterTaskDefinition", body.clone());
    assert_eq!(registered["taskDefinition"]["revision"], 2);
    let arn = registered["taskDefinition"]["taskDefinitionArn"].clone();
    let again = ecs(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": arn}));
    assert_eq!(again["taskDefinition"]["somethingNew"], json!({"deep": [1, {"er": ""}]}));
    assert!(again.get("tags").is_none(), "only with include");
    let newest = ecs(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "escher-dev-gateway"}));
    assert_eq!(newest["taskDefinition"]["revision"], 2);
    let unknown = ecs_error(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "escher-dev-gateway:9"}));
    assert_eq!(unknown.1, "Unable to describe task definition.");
    let unknown = ecs_error(&mut world, "UpdateService", json!({"service": "gateway", "taskDefinition": "escher-dev-gateway:9"}));
    assert_eq!(unknown, ("ClientException".to_owned(), "TaskDefinition not found.".to_owned()));
}

#[test]
fn one_name_cannot_be_variable_and_secret_at_once() {
    let mut world = World::escher("dev");
    let running = world.service_mut("gateway").task_definition.clone();
    let mut body = world.ecs.definition(&running).unwrap().body.clone();
    body["containerDefinitions"][0]["secrets"] =
        json!([{"name": "LOG_LEVEL", "valueFrom": "arn:aws:ssm:us-west-1:111122223333:parameter/x"}]);
    assert!(ecs_error(&mut world, "RegisterTaskDefinition", body).1.ends_with("such as 'LOG_LEVEL'."));
}

#[test]
fn a_number_is_no_text_and_a_text_no_list() {
    let mut world = World::escher("dev");
    let main = json!({"name": "main", "image": "none", "environment": [{"name": "PORT", "value": "8080"}]});
    let good = json!({"family": "typed", "cpu": "256", "containerDefinitions": [main], "futureMember": [7]});
    for (at, wrong) in
        [("/cpu", json!(256)), ("/containerDefinitions/0/environment/0/value", json!(8080)), ("/containerDefinitions", json!("main"))]
    {
        let mut body = good.clone();
        *body.pointer_mut(at).unwrap() = wrong;
        assert_eq!(ecs_error(&mut world, "RegisterTaskDefinition", body).0, "SerializationException", "{at}");
    }
    ecs(&mut world, "RegisterTaskDefinition", good);
}
