"""Deliberately broken answers: the check must report each of them, and for the right reason."""

import copy
import json
from xml.etree import ElementTree

from clients import DELIBERATE
from model import Check

WRONG_TYPE = {"string": 7, "integer": "7", "long": 1.5, "double": "1.5", "float": "1.5", "boolean": "yes",
              "timestamp": "2026-11-25T17:00:00Z", "blob": 7, "structure": [], "list": {}, "map": []}
WRONG_TEXT = {"integer": "many", "long": "1.5", "boolean": "yes", "timestamp": "yesterday"}


def tried(answers):
    """Breaks the first good answer and the first refusal of each operation in every way, one way at a time: how many times, and
    which of them nobody noticed."""
    first = {}
    for answer in answers:
        if not answer.findings:
            first.setdefault((answer.party, answer.operation.name, answer.status < 300), answer)
    count, missed = 0, []
    for (party, operation, _), answer in first.items():
        for kind, where, body in broken(answer):
            count += 1
            found = Check(answer.operation, DELIBERATE if party == "ecs" else ()).answer(answer.status, answer.headers, body)
            if kind not in {finding[0] for finding in found}:
                missed.append(f"{party} {operation}: {kind} at {where or 'the root'} goes unnoticed: {found}")
    return count, missed


def broken(answer):
    """(kind of finding that must come, where, broken body)"""
    query = answer.operation.service_model.metadata["protocol"] == "query"
    yield "syntax", "", answer.body[:-3]
    if answer.status >= 300:
        yield from wrong_code(answer, query)
    elif query:
        tree = ElementTree.fromstring(answer.body)
        yield from xml(tree, answer.operation.output_shape, tree[0], namespace(answer))
    else:
        tree = json.loads(answer.body)
        yield from members(tree, answer.operation.output_shape, tree, "")


def namespace(answer):
    return "{" + answer.operation.service_model.metadata["xmlNamespace"] + "}"


def wrong_code(answer, query):
    if query:
        tree = ElementTree.fromstring(answer.body)
        tree.find(f"{namespace(answer)}Error/{namespace(answer)}Code").text = "NoSuchThingException"
        yield "error code", "Error.Code", ElementTree.tostring(tree)
    else:
        tree = json.loads(answer.body)
        yield "error code", "__type", json.dumps({**tree, "__type": "NoSuchThingException"})
        yield "structure", "message", json.dumps({"__type": tree["__type"]})


def with_value(tree, holder, key, value):
    """The whole answer, with another value in this one place."""
    kept = holder[key]
    holder[key] = value
    text = json.dumps(tree)
    holder[key] = kept
    return text


def members(tree, shape, value, where):
    """Breaks what stands in a structure, and then what stands in its members."""
    value["noSuchMember"] = 1
    text = json.dumps(tree)
    del value["noSuchMember"]
    yield "unknown member", where, text
    for name in shape.required_members:
        kept = dict(value)
        del value[name]
        text = json.dumps(tree)
        value.clear()
        value.update(kept)
        yield "missing member", f"{where}.{name}", text
    for name in [name for name in value if name in shape.members]:
        yield from inside(tree, shape.members[name], value, name, f"{where}.{name}")


def inside(tree, shape, holder, key, where):
    kind, value = shape.type_name, holder[key]
    yield "type", where, with_value(tree, holder, key, WRONG_TYPE[kind])
    yield "type", where, with_value(tree, holder, key, None)
    if kind == "string" and shape.enum:
        yield "enum", where, with_value(tree, holder, key, "NO_SUCH_VALUE")
    if kind == "structure":
        yield from members(tree, shape, value, where)
    elif kind == "list" and value:
        yield from inside(tree, shape.member, value, 0, f"{where}[0]")
    elif kind == "map" and value:
        first = next(iter(value))
        yield from inside(tree, shape.value, value, first, f"{where}.{first}")


def xml(tree, shape, element, names, where=""):
    """The same for XML."""
    kind = shape.type_name
    if kind == "structure":
        yield "unknown member", where, changed(tree, element, lambda it: ElementTree.SubElement(it, names + "NoSuchMember"))
        for child in list(element):
            name = child.tag.removeprefix(names)
            if name in shape.required_members:
                yield "missing member", f"{where}.{name}", changed(tree, element, lambda it, child=child: it.remove(child))
            yield "structure", f"{where}.{name}", changed(tree, element, lambda it, child=child: it.append(child))
            yield from xml(tree, shape.members[name], child, names, f"{where}.{name}")
    elif kind == "list":
        yield "unknown member", where, changed(tree, element, lambda it: ElementTree.SubElement(it, names + "item"))
        for item in list(element)[:1]:
            yield from xml(tree, shape.member, item, names, f"{where}[0]")
    else:
        yield "type", where, changed(tree, element, lambda it: ElementTree.SubElement(it, names + "member"))
        if kind in WRONG_TEXT:
            yield "type", where, changed(tree, element, lambda it: setattr(it, "text", WRONG_TEXT[kind]))
        if shape.type_name == "string" and shape.enum:
            yield "enum", where, changed(tree, element, lambda it: setattr(it, "text", "NoSuchValue"))


def changed(tree, element, change):
    kept = copy.copy(element)
    change(element)
    text = ElementTree.tostring(tree)
    element[:] = list(kept)
    element.text = kept.text
    return text


# Over the wire: the sandbox sends these bodies instead of its own. (party, operation, status, kind, body)
SENT = [
    ("ecs", "DescribeServices", 200, "unknown member", '{"services": [], "failures": [], "surprise": 1}'),
    ("ecs", "DescribeServices", 200, "type", '{"services": [{"desiredCount": "2"}], "failures": []}'),
    ("ecs", "DescribeServices", 200, "type", '{"services": [{"createdAt": "2026-11-25T17:00:00Z"}]}'),
    ("ecs", "DescribeServices", 200, "enum", '{"services": [{"launchType": "MOON"}]}'),
    ("ecs", "DescribeServices", 200, "missing member", '{"services": [{"networkConfiguration": {"awsvpcConfiguration": {}}}]}'),
    ("ecs", "DescribeServices", 400, "error code", '{"__type": "ServiceDeploymentNotFoundException", "message": "not here"}'),
    ("ecr", "BatchGetImage", 200, "enum", '{"images": [], "failures": [{"failureCode": "NoIdea"}]}'),
    ("secretsmanager", "DescribeSecret", 400, "unknown member", '{"__type": "ResourceNotFoundException", "message": "in small letters"}'),
    ("logs", "GetLogEvents", 200, "type", '{"events": [{"timestamp": 1795467286.5}]}'),
    ("sts", "GetCallerIdentity", 200, "unknown member",
     '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
     '<GetCallerIdentityResult><Name>x</Name></GetCallerIdentityResult></GetCallerIdentityResponse>'),
    ("elasticloadbalancing", "DescribeTargetHealth", 404, "error code",
     '<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
     '<Error><Type>Sender</Type><Code>NotHere</Code><Message>not here</Message></Error><RequestId>1</RequestId></ErrorResponse>'),
]


def sent(clients, samples):
    """Has the sandbox send them, and says which of them nobody noticed."""
    missed = []
    for party, operation, status, kind, body in SENT:
        clients.sandbox.order("fault", party=party, operation=operation, status=status, body=body)
        before, complaints = len(clients.answers), list(clients.wrong)
        try:
            clients.call(party, operation, **samples[party, operation])
        except Exception:  # boto3 itself chokes on some of them.
            pass
        clients.wrong[:] = complaints
        found = [finding for answer in clients.answers[before:] for finding in answer.findings]
        del clients.answers[before:]
        if kind not in {finding[0] for finding in found}:
            missed.append(f"sent by the sandbox, {party} {operation} with {kind} goes unnoticed: {found}")
    return len(SENT), missed
