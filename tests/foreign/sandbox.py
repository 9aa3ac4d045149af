"""The sandbox as a process."""

import json
import subprocess
import urllib.request


class Sandbox:
    """Runs the program `serve` until the block is left."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        lines = iter(self.process.stdout.readline, "\n")
        self.env = dict(line.rstrip("\n").split("=", 1) for line in lines)
        self.url, self.region, self.cluster = (self.env[key] for key in ("AWS_ENDPOINT_URL", "DEPLOY_REGION", "DEPLOY_CLUSTER"))
        self.operations = [tuple(name.split(":")) for name in self.env["SANDBOX_OPERATIONS"].split(",")]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def order(self, order, **details):
        self.process.stdin.write(json.dumps({"order": order, **details}) + "\n")
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"the sandbox doesn't carry out {order} {details}: {answer}")

    def token(self, audience="sts.amazonaws.com"):
        """A token of GitHub's, as a workflow's job asks for it."""
        url = f"{self.env['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)["value"]
