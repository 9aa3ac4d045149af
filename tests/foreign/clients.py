"""boto3's clients, with every answer kept as it came over the wire and held against the model."""

import json
import time
from dataclasses import dataclass, field

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from model import Check

# How boto3 calls the sandbox's parties.
NAMES = {"elasticloadbalancing": "elbv2"}
# Members that no model knows and that the sandbox's task definitions hold on purpose: whoever copies a definition must copy them.
DELIBERATE = ("futureSchedulingHints", "futureRestartBudget")


@dataclass
class Answer:
    party: str
    operation: object
    status: int
    headers: dict
    body: bytes
    findings: list


@dataclass
class Clients:
    sandbox: object
    answers: list = field(default_factory=list)
    deliberate: set = field(default_factory=set)
    wrong: list = field(default_factory=list)
    # Sent instead of what boto3 would send.
    body: bytes | None = None

    def __post_init__(self):
        self.unsigned = self.session(config=Config(signature_version=UNSIGNED))
        given = self.call(
            "sts", "AssumeRoleWithWebIdentity", client=self.unsigned, RoleArn=self.sandbox.env["DEPLOY_ROLE_ARN"],
            RoleSessionName="foreign-client", WebIdentityToken=self.sandbox.token(),
        )["Credentials"]
        self.keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self.ours = self.session(*self.keys)
        self.strangers = self.session("AKIAIOSFODNN7EXAMPLE", "nobody-knows-this-secret")

    def session(self, key="none", secret="none", token=None, config=None):
        """A function from a party to its client."""
        session = boto3.Session(key, secret, token, self.sandbox.region)
        # What is malformed for the client shall reach the sandbox, and nothing is tried twice.
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, proxies={}).merge(config or Config())
        made = {}

        def client(party):
            if party not in made:
                made[party] = session.client(NAMES.get(party, party), endpoint_url=self.sandbox.url, config=config)
                made[party].meta.events.register("before-parse.*.*", lambda **event: self.record(party, **event))
                made[party].meta.events.register("before-call.*.*", self.send_instead)
            return made[party]

        return client

    def send_instead(self, params, **_):
        if self.body is not None:
            params["body"] = self.body

    def record(self, party, operation_model, response_dict, **_):
        check = Check(operation_model, DELIBERATE if party == "ecs" else ())
        status, headers, body = response_dict["status_code"], dict(response_dict["headers"]), response_dict["body"]
        findings = check.answer(status, headers, body)
        self.deliberate |= check.met
        self.answers.append(Answer(party, operation_model, status, headers, body, findings))

    def call(self, party, operation, expect=None, client=None, **parameters):
        """Calls and expects an answer, or this error code."""
        client = (client or self.ours)(party)
        method = next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation)
        try:
            answer, code = getattr(client, method)(**parameters), None
        except ClientError as error:
            answer, code = error.response, error.response["Error"]["Code"]
        if code != expect:
            text = answer.get("Error", {}).get("Message", "an answer")
            self.wrong.append(f"{party} {operation} {str(parameters)[:200]}: expected {expect or 'an answer'}, got {code or text}: {text}")
        return answer

    def send(self, party, operation, expect, body):
        """Calls with this body, which no client of Amazon's would make."""
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.call(party, operation, expect)
        self.body = None

    def until(self, what, look, seconds=60):
        """Looks until there is something to see."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = look()
            if seen:
                return seen
            time.sleep(0.05)
        raise TimeoutError(f"after {seconds} s there is no {what}")
