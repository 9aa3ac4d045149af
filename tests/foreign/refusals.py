"""What the sandbox refuses, and what each of its operations says to somebody who may not call it."""

QUERY = ("sts", "elasticloadbalancing")


def everywhere(clients, samples):
    """Refusals that any operation knows: a stranger's key, none, no permission, too many calls, a body that is no JSON."""
    for (party, operation), parameters in samples.items():
        query = party in QUERY

        def refused(code, client=None):
            clients.call(party, operation, expect=code, client=client, **parameters)

        for code, status in (("AccessDenied", 403), ("Throttling", 400)):
            code, status = (code, status) if query else (f"{code}Exception", 400)
            clients.sandbox.order("fault", party=party, operation=operation, status=status, code=code, message="Rate exceeded <&>")
            refused(code)
        if operation == "AssumeRoleWithWebIdentity":
            continue
        refused("InvalidClientTokenId" if query else "UnrecognizedClientException", clients.strangers)
        refused("MissingAuthenticationToken" if query else "MissingAuthenticationTokenException", clients.unsigned)
        if not query:
            for body in (b"[", b"[]"):
                clients.send(party, operation, "SerializationException", body)


def expired(clients, samples):
    """Sessions and tokens that have had their time. Afterwards nobody's credentials hold."""
    token = clients.sandbox.token()
    clients.sandbox.order("expire", what="tokens")
    role = {"RoleArn": clients.sandbox.env["DEPLOY_ROLE_ARN"], "RoleSessionName": "foreign-client"}
    clients.call("sts", "AssumeRoleWithWebIdentity", "ExpiredTokenException", clients.unsigned, WebIdentityToken=token, **role)
    clients.sandbox.order("expire", what="sessions")
    for (party, operation), parameters in samples.items():
        if operation != "AssumeRoleWithWebIdentity":
            clients.call(party, operation, "ExpiredToken" if party in QUERY else "ExpiredTokenException", **parameters)


def own(clients, samples):
    """Each operation's own refusals."""
    cluster, call = clients.sandbox.cluster, clients.call
    services = ("DescribeServices", "UpdateService", "ListServices", "ListServiceDeployments")
    for operation in (*services, "ListTasks", "DescribeTasks", "StopTask", "RunTask"):
        call("ecs", operation, "ClusterNotFoundException", **{**samples["ecs", operation], "cluster": "nowhere"})
    for names in ([], ["gateway"] * 11):
        call("ecs", "DescribeServices", "InvalidParameterException", cluster=cluster, services=names)
    update = {"cluster": cluster, "service": "gateway"}
    call("ecs", "UpdateService", "ServiceNotFoundException", cluster=cluster, service="nobody")
    call("ecs", "UpdateService", "ClientException", taskDefinition="nothing:1", **update)
    call("ecs", "UpdateService", "ClientException", taskDefinition=samples["ecs", "DeregisterTaskDefinition"]["taskDefinition"], **update)
    call("ecs", "UpdateService", "InvalidParameterException", cluster=cluster)
    clients.sandbox.order("service", name="context-engine", controller="CODE_DEPLOY")
    other = samples["ecs", "DescribeTaskDefinition"]["taskDefinition"]
    call("ecs", "UpdateService", "InvalidParameterException", cluster=cluster, service="context-engine", taskDefinition=other)
    clients.sandbox.order("service", name="context-engine", controller="ECS", status="DRAINING")
    call("ecs", "UpdateService", "ServiceNotActiveException", cluster=cluster, service="context-engine", desiredCount=1)
    call("ecs", "DescribeServices", cluster=cluster, services=["context-engine", "nobody"])
    clients.sandbox.order("service", name="context-engine", status="ACTIVE")
    definitions(call)
    wrong_types(clients, cluster, samples)
    tasks(call, cluster, samples)
    deployments(call, cluster, samples)
    registry(clients, call, samples)
    the_others(clients, call, samples)


def definitions(call):
    container = {"name": "main", "image": "none"}
    for operation in ("DescribeTaskDefinition", "DeregisterTaskDefinition"):
        call("ecs", operation, "ClientException", taskDefinition="nothing:1")
    secret = {"name": "KEY", "valueFrom": "arn:aws:ssm:us-west-1:111122223333:parameter/key"}
    twice = {"environment": [{"name": "KEY", "value": "1"}], "secrets": [secret]}
    for wrong in (
        {"containerDefinitions": [container]},
        {"family": "foreign", "containerDefinitions": []},
        {"family": "foreign", "containerDefinitions": [{"name": "main"}]},
        {"family": "foreign", "containerDefinitions": [container], "tags": []},
        {"family": "foreign", "containerDefinitions": [{**container, **twice}]},
    ):
        call("ecs", "RegisterTaskDefinition", "ClientException", **wrong)


def wrong_types(clients, cluster, samples):
    """Numbers where texts belong, and the like."""
    family, container = samples["ecs", "RegisterTaskDefinition"], {"name": "main", "image": "none"}
    update = {"cluster": cluster, "service": "gateway"}
    port = {"environment": [{"name": "PORT", "value": 8080}]}
    containers = ({"cpu": "448"}, {"essential": "true"}, port, {"dockerLabels": {"number": 7}})
    wrong = [("ecs", "RegisterTaskDefinition", {**family, **it}) for it in ({"cpu": 512}, {"requiresCompatibilities": "FARGATE"})]
    wrong += [("ecs", "RegisterTaskDefinition", {**family, "containerDefinitions": [{**container, **it}]}) for it in containers]
    wrong += [("ecs", "UpdateService", {**update, **it}) for it in (
        {"desiredCount": "2"}, {"desiredCount": 1.5}, {"forceNewDeployment": "yes"}, {"taskDefinition": ["gateway:1"]})]
    wrong += [
        ("ecs", "DescribeServices", {"cluster": cluster, "services": "gateway"}),
        ("ecr", "DescribeImages", {"repositoryName": "escher-gateway", "imageIds": {"imageTag": "v2.16.0-dev"}}),
        ("secretsmanager", "DescribeSecret", {"SecretId": 7}),
        ("logs", "GetLogEvents", {**samples["logs", "GetLogEvents"], "limit": "1"}),
    ]
    for party, operation, body in wrong:
        clients.send(party, operation, "SerializationException", body)
    clients.call("ecs", "UpdateService", "InvalidParameterException", **update, desiredCount=-1)


def tasks(call, cluster, samples):
    run = samples["ecs", "RunTask"]
    call("ecs", "ListTasks", "ServiceNotFoundException", cluster=cluster, serviceName="nobody")
    call("ecs", "ListTasks", "InvalidParameterException", cluster=cluster, serviceName="gateway", startedBy="somebody")
    for names in ([], ["none"] * 101):
        call("ecs", "DescribeTasks", "InvalidParameterException", cluster=cluster, tasks=names)
    call("ecs", "DescribeTasks", cluster=cluster, tasks=["0123456789abcdef0123456789abcdef"])
    call("ecs", "StopTask", "InvalidParameterException", cluster=cluster, task="0123456789abcdef0123456789abcdef")
    call("ecs", "RunTask", "ClientException", **{**run, "taskDefinition": "nothing:1"})
    for wrong in ({"count": 11}, {"launchType": "EC2"}, {"networkConfiguration": {}}):
        call("ecs", "RunTask", "InvalidParameterException", **{**run, **wrong})


def deployments(call, cluster, samples):
    stop = samples["ecs", "StopServiceDeployment"]
    arn = stop["serviceDeploymentArn"][:-3] + "xyz"
    call("ecs", "ListServiceDeployments", "ServiceNotFoundException", cluster=cluster, service="nobody")
    for operation, member in (("DescribeServiceDeployments", "serviceDeploymentArns"), ("DescribeServiceRevisions", "serviceRevisionArns")):
        call("ecs", operation, "InvalidParameterException", **{member: []})
        call("ecs", operation, **{member: [arn]})
    call("ecs", "StopServiceDeployment", "ServiceDeploymentNotFoundException", serviceDeploymentArn=arn)
    call("ecs", "StopServiceDeployment", "InvalidParameterException", **{**stop, "stopType": "ABORT"})
    done = samples["ecs", "DescribeServiceDeployments"]["serviceDeploymentArns"][0]
    call("ecs", "StopServiceDeployment", "ConflictException", serviceDeploymentArn=done, stopType="ROLLBACK")
    call("ecs", "DescribeClusters", clusters=["nowhere"])


def registry(clients, call, samples):
    put, nothing = samples["ecr", "PutImage"], {"imageTag": "v0.0.0"}
    for operation, more in (("DescribeImages", {}), ("BatchGetImage", {"imageIds": [nothing]}), ("PutImage", {"imageManifest": "{}"})):
        call("ecr", operation, "RepositoryNotFoundException", repositoryName="nothing", **more)
    call("ecr", "DescribeRepositories", "RepositoryNotFoundException", repositoryNames=["nothing"])
    call("ecr", "DescribeImages", "ImageNotFoundException", repositoryName="escher-gateway", imageIds=[nothing])
    call("ecr", "BatchGetImage", repositoryName="escher-gateway", imageIds=[nothing])
    call("ecr", "PutImage", "ImageAlreadyExistsException", **put)
    call("ecr", "PutImage", "ImageDigestDoesNotMatchException", **put, imageDigest="sha256:" + "0" * 64)
    call("ecr", "PutImage", "InvalidParameterException", **{**put, "imageManifest": ""})
    other = {"imageManifest": '{"schemaVersion": 2}', "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"}
    call("ecr", "PutImage", repositoryName="escher-gateway", **other)
    clients.sandbox.order("immutable", repository="escher-gateway")
    call("ecr", "PutImage", "ImageTagAlreadyExistsException", **put)
    call("ecr", "DescribeRepositories", repositoryNames=["escher-gateway"])


def the_others(clients, call, samples):
    clients.sandbox.order("secret", name="foreign/deleted", state="deleted")
    clients.sandbox.order("secret", name="foreign/empty", state="empty")
    for operation in ("DescribeSecret", "GetSecretValue"):
        call("secretsmanager", operation, "ResourceNotFoundException", SecretId="nothing")
    for name, code in (("foreign/deleted", "InvalidRequestException"), ("foreign/empty", "ResourceNotFoundException")):
        call("secretsmanager", "DescribeSecret", SecretId=name)
        call("secretsmanager", "GetSecretValue", code, SecretId=name)
    call("logs", "GetLogEvents", "ResourceNotFoundException", **{**samples["logs", "GetLogEvents"], "logStreamName": "none"})
    call("elasticloadbalancing", "DescribeTargetHealth", "TargetGroupNotFound", TargetGroupArn="arn:aws:elasticloadbalancing:none")
    role, web = samples["sts", "AssumeRole"], samples["sts", "AssumeRoleWithWebIdentity"]
    call("sts", "AssumeRole", "AccessDenied", **{**role, "RoleArn": role["RoleArn"] + "-of-others"})
    call("sts", "AssumeRole", "ValidationError", **{**role, "RoleSessionName": "<&>"})
    call("sts", "AssumeRoleWithWebIdentity", "AccessDenied", **{**web, "RoleArn": role["RoleArn"] + "-of-others"})
    call("sts", "AssumeRoleWithWebIdentity", "AccessDenied", **{**web, "WebIdentityToken": clients.sandbox.token("nobody")})
    call("sts", "AssumeRoleWithWebIdentity", "InvalidIdentityToken", **{**web, "WebIdentityToken": "no token at all"})
