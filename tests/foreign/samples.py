"""For each operation one call that succeeds. An operation of the sandbox that is missing here fails the check."""

import json


def next_definition(clients, service, change=lambda container: None):
    """Registers what the service runs with v2.16.0-dev and a change; its ARN."""
    cluster = clients.sandbox.cluster
    running = clients.call("ecs", "DescribeServices", cluster=cluster, services=[service])["services"][0]["taskDefinition"]
    described = clients.call("ecs", "DescribeTaskDefinition", taskDefinition=running, include=["TAGS"])
    names = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "requiresCompatibilities", "cpu", "memory")
    body = {name: described["taskDefinition"][name] for name in names}
    container = body["containerDefinitions"][0]
    repository = f"escher-{service}"
    wanted = clients.call("ecr", "DescribeImages", repositoryName=repository, imageIds=[{"imageTag": "v2.16.0-dev"}])
    container["image"] = f"{container['image'].split('@')[0]}@{wanted['imageDetails'][0]['imageDigest']}"
    change(container)
    answer = clients.call("ecs", "RegisterTaskDefinition", tags=described["tags"], **body)
    return answer["taskDefinition"]["taskDefinitionArn"]


def network(clients):
    described = clients.call("ecs", "DescribeServices", cluster=clients.sandbox.cluster, services=["gateway"])
    return described["services"][0]["networkConfiguration"]


def samples(clients):
    cluster, env = clients.sandbox.cluster, clients.sandbox.env
    gateway = clients.call("ecs", "DescribeServices", cluster=cluster, services=["gateway"])["services"][0]
    copy = next_definition(clients, "gateway")
    task = clients.call("ecs", "ListTasks", cluster=cluster, serviceName="gateway")["taskArns"][0]
    run = {"cluster": cluster, "taskDefinition": copy, "launchType": "FARGATE", "networkConfiguration": network(clients)}
    # This one ends by itself and leaves a log.
    writer = clients.call("ecs", "RunTask", **run)["tasks"][0]
    written = {"cluster": cluster, "tasks": [writer["taskArn"]]}
    clients.until("end of the task", lambda: clients.call("ecs", "DescribeTasks", **written)["tasks"][0]["lastStatus"] == "STOPPED")
    # What is to be stopped must still be there by then, whatever the machine does meanwhile.
    clients.sandbox.order("pace", scale=1)
    once = clients.call("ecs", "RunTask", **run)["tasks"][0]
    clients.call("ecs", "UpdateService", cluster=cluster, service="playbook-agent", forceNewDeployment=True)
    deployment = in_flight(clients, "playbook-agent")
    image = {"repositoryName": "escher-gateway", "imageIds": [{"imageTag": "v2.16.0-dev"}]}
    manifest = clients.call("ecr", "BatchGetImage", **image)["images"][0]["imageManifest"]
    written = {"cluster": cluster, "tasks": [writer["taskArn"]]}
    clients.until("end of the task", lambda: clients.call("ecs", "DescribeTasks", **written)["tasks"][0]["lastStatus"] == "STOPPED")
    role = {"RoleArn": env["DEPLOY_ROLE_ARN"], "RoleSessionName": "foreign-client"}
    return {
        ("ecs", "DescribeServices"): {"cluster": cluster, "services": ["gateway", "asset-store"], "include": ["TAGS"]},
        ("ecs", "UpdateService"): {"cluster": cluster, "service": "gateway", "desiredCount": 2},
        ("ecs", "DescribeClusters"): {"clusters": [cluster]},
        ("ecs", "ListServices"): {"cluster": cluster},
        ("ecs", "DescribeTaskDefinition"): {"taskDefinition": gateway["taskDefinition"], "include": ["TAGS"]},
        ("ecs", "RegisterTaskDefinition"): {"family": "foreign", "containerDefinitions": [{"name": "main", "image": "none"}]},
        ("ecs", "ListTaskDefinitions"): {"familyPrefix": "escher-dev-gateway"},
        ("ecs", "DeregisterTaskDefinition"): {"taskDefinition": copy},
        ("ecs", "ListTasks"): {"cluster": cluster, "serviceName": "gateway"},
        ("ecs", "DescribeTasks"): {"cluster": cluster, "tasks": [task, once["taskArn"]]},
        ("ecs", "StopTask"): {"cluster": cluster, "task": once["taskArn"], "reason": "seen enough"},
        ("ecs", "RunTask"): {**run, "taskDefinition": gateway["taskDefinition"], "startedBy": "foreign"},
        ("ecs", "ListServiceDeployments"): {"cluster": cluster, "service": "gateway"},
        ("ecs", "DescribeServiceDeployments"): {"serviceDeploymentArns": [gateway["currentServiceDeployment"], deployment]},
        ("ecs", "StopServiceDeployment"): {"serviceDeploymentArn": deployment, "stopType": "ROLLBACK"},
        ("ecs", "DescribeServiceRevisions"): {"serviceRevisionArns": [gateway["currentServiceRevisions"][0]["arn"]]},
        ("ecr", "DescribeRepositories"): {"repositoryNames": ["escher-gateway", "escher-asset-store"]},
        ("ecr", "DescribeImages"): {"repositoryName": "escher-gateway"},
        ("ecr", "BatchGetImage"): image,
        ("ecr", "PutImage"): {"repositoryName": "escher-gateway", "imageManifest": manifest, "imageTag": "foreign"},
        ("ecr", "GetAuthorizationToken"): {},
        ("secretsmanager", "DescribeSecret"): {"SecretId": "escher/dev/gateway/api-key"},
        ("secretsmanager", "GetSecretValue"): {"SecretId": "escher/dev/gateway/api-key"},
        ("logs", "GetLogEvents"): log_of(clients, writer),
        ("sts", "AssumeRoleWithWebIdentity"): {**role, "WebIdentityToken": clients.sandbox.token()},
        ("sts", "AssumeRole"): role,
        ("sts", "GetCallerIdentity"): {},
        ("elasticloadbalancing", "DescribeTargetHealth"): {"TargetGroupArn": gateway["loadBalancers"][0]["targetGroupArn"]},
    }


def in_flight(clients, service):
    """The ARN of the service's deployment in progress; a new one is listed after a moment."""
    wanted = {"cluster": clients.sandbox.cluster, "service": service, "status": ["IN_PROGRESS"]}
    return clients.until("a service deployment in progress", lambda: [
        it["serviceDeploymentArn"] for it in clients.call("ecs", "ListServiceDeployments", **wanted)["serviceDeployments"]])[0]


def log_of(clients, task):
    """Where a task's main container writes."""
    described = clients.call("ecs", "DescribeTaskDefinition", taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    container = described["containerDefinitions"][0]
    options = container["logConfiguration"]["options"]
    name = f"{options['awslogs-stream-prefix']}/{container['name']}/{task['taskArn'].rsplit('/', 1)[1]}"
    return {"logGroupName": options["awslogs-group"], "logStreamName": name, "startFromHead": True}


def cli_arguments(parameters):
    """The same call for the aws CLI."""
    return ["--cli-input-json", json.dumps(parameters)] if parameters else []
