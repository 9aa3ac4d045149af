"""Drives every AWS operation of the sandbox with boto3 and the aws CLI: check.py SERVE AWS"""

import re
import sys
import tempfile

import cli
import mutations
import refusals
import stories
from clients import DELIBERATE, Clients
from samples import samples
from sandbox import Sandbox


def uncovered(operations, calls, answers):
    """Operations without a call of ours, or without an answer, or a refusal, to hold against the model."""
    wrong = [f"{party} {name}: the sandbox offers it, and nothing here calls it" for party, name in sorted(set(operations) - set(calls))]
    wrong += [f"{party} {name}: the sandbox doesn't offer it any more" for party, name in sorted(set(calls) - set(operations))]
    seen = {(answer.party, answer.operation.name, answer.status < 300) for answer in answers}
    for party, name in operations:
        for what, good in (("answer", True), ("refusal", False)):
            if (party, name, good) not in seen:
                wrong.append(f"{party} {name}: no {what} was seen")
    return wrong


def malformed(answers):
    """Each kind of finding once for each operation and place, wherever in a list."""
    found = {}
    for answer in answers:
        for kind, where, text in answer.findings:
            found.setdefault((answer.party, answer.operation.name, kind, re.sub(r"\[\d+\]", "[]", where)), text)
    return [f"{party} {operation} answers a wrong {kind} at {where}: {text}" for (party, operation, kind, where), text in found.items()]


def main(serve, aws):
    wrong = []
    with Sandbox(serve) as sandbox, tempfile.TemporaryDirectory() as folder:
        clients = Clients(sandbox)
        calls = samples(clients)
        for (party, operation), parameters in calls.items():
            clients.call(party, operation, **parameters)
        refusals.everywhere(clients, calls)
        refusals.own(clients, calls)
        unheard = [*sandbox.operations, ("ecs", "InventedOperation")]
        if len(uncovered(unheard, calls, clients.answers)) != len(uncovered(sandbox.operations, calls, clients.answers)) + 3:
            wrong.append("an operation without any call goes unnoticed")
        stories.tell(clients, calls)
        by_hand, calls_of_cli = cli.drive(aws, clients, calls, folder)
        sent, missed = mutations.sent(clients, calls)
        refusals.expired(clients, calls)
        answers = clients.answers
    count, overlooked = mutations.tried(answers)
    refused = sum(answer.status >= 300 for answer in answers)
    wrong += clients.wrong + by_hand + missed + overlooked + uncovered(sandbox.operations, calls, answers) + malformed(answers)
    wrong += [f"nothing shows {name} any more, which the check lets pass" for name in DELIBERATE if name not in clients.deliberate]
    for line in wrong:
        print(f"foreign: {line}", file=sys.stderr)
    print(f"{len(sandbox.operations)} operations, {len(answers)} answers, {refused} of them refusals; {calls_of_cli} calls of the aws CLI; "
          f"{count + sent} broken answers, {count + sent - len(missed) - len(overlooked)} of them caught; {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
