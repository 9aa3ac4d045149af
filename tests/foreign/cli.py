"""The aws CLI for each operation that reads; it gets its credentials itself, from the job's token."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from clients import NAMES
from samples import cli_arguments

READS = ("Describe", "List", "Get", "BatchGet")
# Arguments, and the error code and the operation that stderr must name.
NO_ROLE = ["--role-arn", "arn:aws:iam::111122223333:role/none", "--role-session-name", "cli"]
REFUSED = [
    (["ecs", "describe-services", "--cluster", "nowhere", "--services", "gateway"], "ClusterNotFoundException", "DescribeServices"),
    (["ecs", "describe-task-definition", "--task-definition", "nothing:1"], "ClientException", "DescribeTaskDefinition"),
    (["ecr", "describe-repositories", "--repository-names", "nothing"], "RepositoryNotFoundException", "DescribeRepositories"),
    (["secretsmanager", "get-secret-value", "--secret-id", "nothing"], "ResourceNotFoundException", "GetSecretValue"),
    (["elbv2", "describe-target-health", "--target-group-arn", "none"], "TargetGroupNotFound", "DescribeTargetHealth"),
    (["sts", "assume-role", *NO_ROLE], "AccessDenied", "AssumeRole"),
]


def dashed(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Cli:
    def __init__(self, program, sandbox, folder):
        self.program, self.wrong, self.calls = program, [], 0
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write(sandbox.token())
        web_identity = {"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": sandbox.env["DEPLOY_ROLE_ARN"]}
        self.env = {**os.environ, **web_identity, "HOME": folder, "AWS_ENDPOINT_URL": sandbox.url, "AWS_DEFAULT_REGION": sandbox.region}

    def run(self, arguments):
        self.calls += 1
        return subprocess.run([self.program, *arguments], env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def read(self, party, operation, parameters, members):
        """It prints what the answer held."""
        done = self.run([NAMES.get(party, party), dashed(operation), *cli_arguments(parameters)])
        printed = set(json.loads(done.stdout)) if done.returncode == 0 else set()
        if not printed or printed != members:
            said = f"exit {done.returncode}, {sorted(printed)} for {sorted(members)}: {done.stderr.strip()}"
            self.wrong.append(f"aws {party} {operation}: {said}")

    def refused(self, arguments, code, operation):
        wanted, done = f"({code}) when calling the {operation} operation", self.run(arguments)
        if done.returncode == 0 or wanted not in done.stderr:
            self.wrong.append(f"aws {' '.join(arguments)}: exit {done.returncode}, {done.stderr.strip()!r} without {wanted!r}")

    def waits(self, cluster):
        for arguments in (
            ["wait", "services-stable", "--cluster", cluster, "--services", "gateway", "asset-store"],
            ["wait", "services-stable", "--cluster", cluster, "--services", "nobody"],
        ):
            done = self.run(["ecs", *arguments])
            if (done.returncode == 0) == ("nobody" in arguments):
                self.wrong.append(f"aws ecs {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")


def drive(program, clients, samples, folder):
    """All reads, some refusals, and the waiter; what was wrong, and how many calls it took."""
    cli = Cli(program, clients.sandbox, folder)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(cli.waits, clients.sandbox.cluster)]
        for (party, operation), parameters in samples.items():
            if operation.startswith(READS):
                members = set(clients.call(party, operation, **parameters)) - {"ResponseMetadata"}
                jobs.append(pool.submit(cli.read, party, operation, parameters, members))
        jobs += [pool.submit(cli.refused, *refused) for refused in REFUSED]
    for job in jobs:
        job.result()
    return cli.wrong, cli.calls
