"""Holds an answer, as it came over the wire, against botocore's model of the operation."""

import base64
import binascii
import json
import re
from xml.etree import ElementTree

# What any operation may answer although its model doesn't say so, with HTTP status ("Common Error Types" of the API references;
# SerializationException and UnknownOperationException come from the JSON protocol itself).
COMMON_JSON = {
    "AccessDeniedException": 400, "ExpiredTokenException": 400, "IncompleteSignature": 400, "InternalFailure": 500,
    "InvalidSignatureException": 400, "MissingAuthenticationTokenException": 400, "NotAuthorized": 400, "OptInRequired": 403,
    "RequestExpired": 400, "SerializationException": 400, "ServiceUnavailable": 503, "ThrottlingException": 400,
    "UnknownOperationException": 400, "UnrecognizedClientException": 400, "ValidationException": 400,
}
COMMON_QUERY = {
    "AccessDenied": 403, "ExpiredToken": 403, "IncompleteSignature": 403, "InternalFailure": 500, "InvalidAction": 400,
    "InvalidClientTokenId": 403, "MissingAuthenticationToken": 403, "OptInRequired": 403, "RequestExpired": 400,
    "ServiceUnavailable": 503, "SignatureDoesNotMatch": 403, "Throttling": 400, "ValidationError": 400,
}
INTEGERS = {"integer": 2**31, "long": 2**63}
# Seconds since 1970: from 2010 to 2100. A time in milliseconds lies far outside.
TIMES = (1.26e9, 4.1e9)


class Check:
    """One answer; `findings` holds what is wrong with it, each as a kind, a place and a sentence."""

    def __init__(self, operation, tolerated=()):
        self.operation = operation
        self.tolerated = set(tolerated)
        self.met = set()
        self.findings = []

    def wrong(self, kind, where, text):
        self.findings.append((kind, where or "the answer", text))

    # --- Answers ---------------------------------------------------------------------------------------------------------------

    def answer(self, status, headers, body):
        self.query = self.operation.service_model.metadata["protocol"] == "query"
        self.headers({name.lower(): value for name, value in headers.items()})
        try:
            tree = ElementTree.fromstring(body) if self.query else json.loads(body)
        except (ValueError, ElementTree.ParseError) as error:
            self.wrong("syntax", "", f"it can't be parsed: {error}")
            return self.findings
        if status < 300:
            self.success(tree)
        elif self.query:
            self.query_error(status, tree)
        else:
            self.json_error(status, tree)
        return self.findings

    def headers(self, headers):
        wanted = "text/xml" if self.query else "application/x-amz-json-" + self.operation.service_model.metadata["jsonVersion"]
        if headers.get("content-type", "").split(";")[0] != wanted:
            self.wrong("header", "content-type", f"{headers.get('content-type')!r} is not {wanted}")
        self.request = headers.get("x-amzn-requestid", "")
        self.expect(self.request, "header", "x-amzn-requestid", "it is missing")

    def success(self, tree):
        shape = self.operation.output_shape
        if not self.query:
            self.json(shape, tree, "")
            return
        name, namespace = self.operation.name, self.namespace()
        self.expect(tree.tag == f"{namespace}{name}Response", "structure", tree.tag, f"it should be {name}Response in {namespace}")
        wrapper = shape.serialization["resultWrapper"]
        results = [child for child in tree if child.tag == namespace + wrapper]
        self.expect(len(results) == 1, "structure", wrapper, f"it is there {len(results)} times")
        self.only(tree, {wrapper, "ResponseMetadata"})
        inside = tree.findtext(f"{namespace}ResponseMetadata/{namespace}RequestId")
        self.expect(inside and inside == self.request, "structure", "RequestId", f"{inside} is not the header's {self.request}")
        for result in results:
            self.xml(shape, result, "")

    # --- Errors ----------------------------------------------------------------------------------------------------------------

    def json_error(self, status, tree):
        if not isinstance(tree, dict) or not isinstance(tree.get("__type"), str):
            self.wrong("structure", "__type", "an error names its type")
            return
        # `namespace#Code` is the same as `Code`.
        shape = self.declared(tree["__type"].split("#")[-1], status, COMMON_JSON)
        members = {name: value for name, value in tree.items() if name != "__type"}
        if shape is not None:
            # The model of Logs gives its errors no members at all; they come with a message all the same.
            self.json(shape, {name: value for name, value in members.items() if shape.members or name != "message"}, "error")
        texts = [value for name, value in members.items() if name.lower() == "message"]
        self.expect(len(texts) == 1 and isinstance(texts[0], str) and texts[0], "structure", "error.message", "there should be one text")

    def query_error(self, status, tree):
        namespace = self.namespace()
        self.expect(tree.tag == namespace + "ErrorResponse", "structure", tree.tag, f"it should be ErrorResponse in {namespace}")
        self.only(tree, {"Error", "RequestId"})
        inside = tree.findtext(namespace + "RequestId")
        self.expect(inside and inside == self.request, "structure", "RequestId", f"{inside} is not the header's {self.request}")
        error = tree.find(namespace + "Error")
        if error is None:
            self.wrong("structure", "Error", "it is missing")
            return
        self.only(error, {"Type", "Code", "Message", "Detail"})
        side = "Sender" if status < 500 else "Receiver"
        self.expect(error.findtext(namespace + "Type") == side, "enum", "Error.Type", f"with status {status} it should be {side}")
        self.expect(error.findtext(namespace + "Message"), "structure", "Error.Message", "it is missing")
        self.declared(error.findtext(namespace + "Code"), status, COMMON_QUERY)

    def declared(self, code, status, common):
        """The shape of this error, if the operation declares it."""
        for shape in self.operation.error_shapes:
            detail = shape.metadata.get("error", {})
            if code == detail.get("code", shape.name):
                side = 500 if shape.metadata.get("fault") or code in ("ServerException", "InternalServiceError") else 400
                right = status == detail["httpStatusCode"] if "httpStatusCode" in detail else side <= status < side + 100
                self.expect(right, "status", code, f"it doesn't come with {status}")
                return shape
        if code not in common:
            self.wrong("error code", "error", f"{self.operation.name} declares no {code}, and no operation may answer it")
        elif status != common[code]:
            self.wrong("status", code, f"it comes with {common[code]}, not {status}")
        return None

    # --- JSON ------------------------------------------------------------------------------------------------------------------

    def json(self, shape, value, where):
        kind = shape.type_name if shape is not None else "structure"
        if kind == "structure":
            self.json_structure(shape, value, where)
        elif kind == "list":
            if self.typed(isinstance(value, list), "a list", value, where):
                self.bounds(shape, len(value), where)
                for number, item in enumerate(value):
                    self.json(shape.member, item, f"{where}[{number}]")
        elif kind == "map":
            if self.typed(isinstance(value, dict), "an object", value, where):
                for key, item in value.items():
                    self.string(shape.key, key, f"{where} (key)")
                    self.json(shape.value, item, f"{where}.{key}")
        else:
            self.json_scalar(shape, value, where)

    def json_structure(self, shape, value, where):
        if not self.typed(isinstance(value, dict), "an object", value, where):
            return
        members = {} if shape is None else {member.serialization.get("name", name): member for name, member in shape.members.items()}
        self.required(shape, value, where)
        if shape is not None and getattr(shape, "is_tagged_union", False):
            self.expect(len(value) == 1, "structure", where, "a union has one member")
        for name, item in value.items():
            if name in members:
                self.json(members[name], item, f"{where}.{name}".lstrip("."))
            elif name in self.tolerated:
                self.met.add(name)
            else:
                self.wrong("unknown member", f"{where}.{name}".lstrip("."), "the model doesn't know it")

    def json_scalar(self, shape, value, where):
        kind = shape.type_name
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == "string":
            if self.typed(isinstance(value, str), "text", value, where):
                self.string(shape, value, where)
        elif kind in INTEGERS:
            if self.typed(number and isinstance(value, int), "a whole number", value, where):
                self.typed(-INTEGERS[kind] <= value < INTEGERS[kind], kind, value, where)
                self.bounds(shape, value, where)
        elif kind in ("double", "float"):
            self.typed(number, "a number", value, where)
        elif kind == "boolean":
            self.typed(isinstance(value, bool), "true or false", value, where)
        elif kind == "timestamp":
            self.typed(number and TIMES[0] < value < TIMES[1], "seconds since 1970", value, where)
        elif kind == "blob":
            self.typed(isinstance(value, str) and decodes(value), "base64", value, where)
        else:
            self.wrong("type", where, f"this check knows no {kind}")

    # --- XML -------------------------------------------------------------------------------------------------------------------

    def xml(self, shape, element, where):
        kind = shape.type_name
        if kind == "structure":
            self.xml_structure(shape, element, where)
        elif kind == "list":
            self.only(element, {"member"})
            self.bounds(shape, len(element), where)
            for number, item in enumerate(element):
                self.xml(shape.member, item, f"{where}[{number}]")
        else:
            self.typed(len(element) == 0, "text alone", element.tag, where)
            self.xml_scalar(shape, element.text or "", where)

    def xml_structure(self, shape, element, where):
        namespace = self.namespace()
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        present = [child.tag.removeprefix(namespace) for child in element]
        self.expect(not (element.text or "").strip(), "type", where, "text stands where members should be")
        self.required(shape, present, where)
        for child, name in zip(element, present):
            place = f"{where}.{name}".lstrip(".")
            if name not in members:
                self.wrong("unknown member", place, "the model doesn't know it")
                continue
            self.expect(present.count(name) == 1, "structure", place, "it is there more than once")
            self.xml(members[name], child, place)

    def xml_scalar(self, shape, text, where):
        kind = shape.type_name
        if kind == "string":
            self.string(shape, text, where)
        elif kind in INTEGERS:
            if self.typed(re.fullmatch(r"-?\d+", text), "a whole number", text, where):
                self.bounds(shape, int(text), where)
        elif kind == "boolean":
            self.typed(text in ("true", "false"), "true or false", text, where)
        elif kind == "timestamp":
            self.typed(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text), "a time of ISO 8601", text, where)
        else:
            self.wrong("type", where, f"this check knows no {kind}")

    # --- Both ------------------------------------------------------------------------------------------------------------------

    def namespace(self):
        return "{" + self.operation.service_model.metadata["xmlNamespace"] + "}"

    def only(self, element, names):
        for child in element:
            name = child.tag.removeprefix(self.namespace())
            self.expect(name in names, "unknown member", name, "it has no place here")

    def required(self, shape, present, where):
        for name in shape.required_members if shape is not None else ():
            wire = shape.members[name].serialization.get("name", name)
            self.expect(wire in present, "missing member", f"{where}.{wire}".lstrip("."), "the model requires it")

    def string(self, shape, text, where):
        if shape.enum:
            self.expect(text in shape.enum, "enum", where, f"{text!r} is none of {', '.join(shape.enum)}")
        self.bounds(shape, len(text), where)
        pattern = shape.metadata.get("pattern")
        if pattern:
            self.expect(re.fullmatch(python(pattern), text), "pattern", where, f"{text!r} doesn't match {pattern}")

    def bounds(self, shape, size, where):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        right = (least is None or size >= least) and (most is None or size <= most)
        self.expect(right, "bounds", where, f"{size} is not in {least}..{most}")

    def typed(self, right, wanted, value, where):
        return self.expect(right, "type", where, f"{value!r:.80} is not {wanted}")

    def expect(self, right, kind, where, text):
        if not right:
            self.wrong(kind, where, text)
        return bool(right)


def python(pattern):
    """A pattern of the models, in Python's dialect."""
    return pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s")


def decodes(text):
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True
