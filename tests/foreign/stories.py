"""Deployments from beginning to end, looked at all the while: states come and go that no single call shows."""

from samples import in_flight, log_of, next_definition

# What the services' new images, or definitions, make of their deployments.
BAD = {"asset-store": "missing image", "analysis-agent": "crashes", "autoresolver": "out of memory", "context-engine": "unhealthy",
       "integrations-agent": "archived"}
# Sandbox seconds in a real one: while something has to be caught in the act, and otherwise.
SLOW, FAST = 2, 40
# What has to be seen on the way, or the stories told nothing.
WANTED = {
    "rolloutState": {"IN_PROGRESS", "COMPLETED", "FAILED"},
    "lastStatus": {"PROVISIONING", "PENDING", "RUNNING", "STOPPED", "DEACTIVATING"},
    "stopCode": {"EssentialContainerExited", "TaskFailedToStart", "ServiceSchedulerInitiated", "UserInitiated"},
    "status": {"IN_PROGRESS", "SUCCESSFUL", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "STOPPED"},
    "target": {"healthy", "initial", "draining"},
}


class Watch:
    """Looks at services with every operation that shows something of them."""

    def __init__(self, clients, samples):
        self.clients, self.samples = clients, samples
        self.cluster = clients.sandbox.cluster
        self.seen = {name: set() for name in WANTED}

    def note(self, name, items, key=None):
        self.seen[name] |= {item[key or name] for item in items if (key or name) in item}

    def call(self, party, operation, **parameters):
        return self.clients.call(party, operation, **parameters)

    def look(self, names):
        """One round; the newest service deployment's status of each service."""
        described = self.call("ecs", "DescribeServices", cluster=self.cluster, services=names)["services"]
        for service in described:
            self.note("rolloutState", service["deployments"])
        revisions = [it["arn"] for service in described for it in service["currentServiceRevisions"]]
        self.call("ecs", "DescribeServiceRevisions", serviceRevisionArns=revisions[:20])
        for desired in ("RUNNING", "STOPPED"):
            tasks = self.call("ecs", "ListTasks", cluster=self.cluster, desiredStatus=desired)["taskArns"]
            if tasks:
                tasks = self.call("ecs", "DescribeTasks", cluster=self.cluster, tasks=tasks[:100])["tasks"]
                self.note("lastStatus", tasks)
                self.note("stopCode", tasks)
        targets = self.call("elasticloadbalancing", "DescribeTargetHealth", **self.samples["elasticloadbalancing", "DescribeTargetHealth"])
        self.note("target", (it["TargetHealth"] for it in targets["TargetHealthDescriptions"]), "State")
        self.call("ecs", "DescribeClusters", clusters=[self.cluster])
        return {name: self.newest(name) for name in names}

    def newest(self, name):
        """The status of the newest deployment of a service."""
        listed = self.call("ecs", "ListServiceDeployments", cluster=self.cluster, service=name)["serviceDeployments"]
        arns = [it["serviceDeploymentArn"] for it in listed][:20]
        full = self.call("ecs", "DescribeServiceDeployments", serviceDeploymentArns=arns)["serviceDeployments"]
        self.note("status", full)
        return full[0]["status"]

    def missing(self):
        return [(name, state) for name, wanted in WANTED.items() for state in sorted(wanted - self.seen[name])]

    def follow(self, names, end):
        """Until the newest deployment of each has this status."""
        self.clients.sandbox.order("pace", scale=FAST)
        self.clients.until(f"{end} of {names}", lambda: set(self.look(names).values()) == {end})


def tell(clients, samples):
    """All of them."""
    watch = Watch(clients, samples)
    rolls(watch, "gateway")
    is_stopped(watch, "playbook-agent")
    is_superseded(watch, "playbook-agent")
    goes_back(watch)
    runs_once(watch)
    stops_once(watch)
    pages(watch)
    # Some states hold for a moment only. On a machine that pauses they are easily missed.
    for _ in range(5):
        if not watch.missing():
            break
        rolls(watch, "gateway")
    clients.wrong += [f"the stories never showed {name} {state}" for name, state in watch.missing()]
    clients.sandbox.order("pace", scale=SLOW)


def update(watch, service, change=lambda container: None):
    """Slowly, so that the deployment is still in progress when this returns."""
    watch.clients.sandbox.order("pace", scale=SLOW)
    definition = next_definition(watch.clients, service, change)
    watch.call("ecs", "UpdateService", cluster=watch.cluster, service=service, taskDefinition=definition)
    return in_flight(watch.clients, service)


def rolls(watch, service):
    update(watch, service)
    watch.follow([service], "SUCCESSFUL")


def is_stopped(watch, service):
    deployment = update(watch, service)
    watch.call("ecs", "StopServiceDeployment", serviceDeploymentArn=deployment, stopType="ROLLBACK")
    watch.follow([service], "ROLLBACK_SUCCESSFUL")


def is_superseded(watch, service):
    update(watch, service)
    update(watch, service)
    watch.follow([service], "SUCCESSFUL")


def goes_back(watch):
    """Each fails in its own way, all at the same time, and the circuit breaker takes each back."""
    clients = watch.clients
    for service, fate in BAD.items():
        def missing(container):
            container["image"] = container["image"].split("@")[0] + ":v0.0.0"
        if fate != "missing image":
            clients.sandbox.order("image", repository=f"escher-{service}", tag="v2.16.0-dev", fate=fate)
        update(watch, service, missing if fate == "missing image" else lambda container: None)
    watch.follow(list(BAD), "ROLLBACK_SUCCESSFUL")
    for service in clients.call("ecs", "DescribeServices", cluster=watch.cluster, services=list(BAD))["services"]:
        if not any("rolling back to deployment" in event["message"] for event in service["events"]):
            clients.wrong.append(f"{service['serviceName']} tells of no rollback in its events")


def runs_once(watch):
    """A task on its own, and what it wrote, a line a page."""
    clients = watch.clients
    clients.sandbox.order("pace", scale=FAST)
    command = {"containerOverrides": [{"name": "gateway", "command": ["./migrate", "up"], "environment": [{"name": "A", "value": "1"}]}]}
    run = {**watch.samples["ecs", "RunTask"], "overrides": command, "clientToken": "once", "startedBy": "migration"}
    task, same = clients.call("ecs", "RunTask", **run)["tasks"][0], clients.call("ecs", "RunTask", **run)["tasks"][0]
    if same["taskArn"] != task["taskArn"]:
        clients.wrong.append("the same clientToken started another task")
    described = {"cluster": watch.cluster, "tasks": [task["taskArn"]]}
    clients.until("end of the task", lambda: clients.call("ecs", "DescribeTasks", **described)["tasks"][0]["lastStatus"] == "STOPPED")
    log, lines, token = log_of(clients, task), [], None
    while True:
        page = clients.call("logs", "GetLogEvents", **log, limit=1, **({"nextToken": token} if token else {}))
        lines += page["events"]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    if len(lines) < 2:
        clients.wrong.append(f"the task's log has {len(lines)} lines")


def stops_once(watch):
    """A task that somebody stops."""
    watch.clients.sandbox.order("pace", scale=SLOW)
    task = watch.call("ecs", "RunTask", **watch.samples["ecs", "RunTask"])["tasks"][0]
    stopped = watch.call("ecs", "StopTask", cluster=watch.cluster, task=task["taskArn"])["task"]
    for name in ("lastStatus", "stopCode"):
        watch.note(name, [task, stopped])


def pages(watch):
    """boto3's paginators, two items a page, find what one page finds."""
    one_page = [
        ("ecs", "list_tasks", "taskArns", {"cluster": watch.cluster}),
        ("ecs", "list_services", "serviceArns", {"cluster": watch.cluster}),
        ("ecs", "list_task_definitions", "taskDefinitionArns", {}),
        ("ecr", "describe_repositories", "repositories", {}),
        ("ecr", "describe_images", "imageDetails", {"repositoryName": "escher-gateway"}),
    ]
    for party, method, member, parameters in one_page:
        client = watch.clients.ours(party)
        whole = getattr(client, method)(**parameters)[member]
        by_two = client.get_paginator(method).paginate(**parameters, PaginationConfig={"PageSize": 2})
        found = [item for page in by_two for item in page[member]]
        if found != whole or len(whole) < 3:
            watch.clients.wrong.append(f"{method}: {len(found)} items on pages of two, {len(whole)} on one")
