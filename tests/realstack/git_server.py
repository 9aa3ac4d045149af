#!/usr/bin/env python3
"""A git host on 127.0.0.1: smart HTTP for the repositories under a folder, for those who bring the token.

    GIT_ROOT=… GIT_TOKEN=… git_server.py --log FILE [--port N]

Prints the port it listens on. Serves http://127.0.0.1:<port>/<owner>/<repo>.git (with or without ".git") from
GIT_ROOT/<owner>/<repo>.git or GIT_ROOT/<owner>/<repo>, bare or not, for reading only, to Basic x-access-token:<GIT_TOKEN>.
The token comes in the environment, where no list of processes shows it, and never goes into the log.

Each request is one line of the log: method, path, status, and whether the token was "right", "wrong" or "absent". A line that
starts with ">" follows a fetch that named what it wants: its "want" and "deepen" lines.
"""

import argparse
import base64
import gzip
import hmac
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUEST = re.compile(r"/([A-Za-z0-9_-][A-Za-z0-9._-]*)/([A-Za-z0-9_-][A-Za-z0-9._-]*?)(?:\.git)?(/info/refs|/git-upload-pack)")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.body())

    def serve(self, body):
        presented = self.token()
        if presented != "right":
            self.answer(401, b"Authentication required.\n", presented, [("WWW-Authenticate", 'Basic realm="git"')])
            return
        path, _, query = self.path.partition("?")
        asked = REQUEST.fullmatch(path)
        folder = asked and self.server.repository(asked[1], asked[2])
        if not folder:
            self.answer(404, b"Repository not found.\n", presented)
            return
        status, headers, content = self.backend(folder, asked[3], query, body)
        self.answer(status, content, presented, headers, wanted(body))

    def token(self):
        """Whether the request carries the token: "right", "wrong" or "absent"."""
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return "absent"
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            return "wrong"
        return "right" if hmac.compare_digest(given, self.server.credentials) else "wrong"

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def backend(self, folder, path, query, body):
        """What git http-backend answers: status, headers, content."""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": folder,
            "GIT_HTTP_EXPORT_ALL": "1",
            # The folder may belong to another user; that is no news here.
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            # github.com hands out any commit that a branch or tag holds, by its id.
            "GIT_CONFIG_KEY_1": "uploadpack.allowReachableSHA1InWant",
            "GIT_CONFIG_VALUE_1": "true",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        run = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, content = run.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        if not headers:
            return 500, [], run.stderr
        statuses = [value for name, value in headers if name == "Status"]
        status = int(statuses[0].split()[0]) if statuses else 200
        return status, [(name, value) for name, value in headers if name not in ("Status", "Content-Length")], content

    def answer(self, status, content, presented, headers=(), note=""):
        self.server.log(f"{self.command} {self.path} {status} token={presented}{note}")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass  # Each answer is logged once, by answer().


def wanted(body):
    """The "want" and "deepen" lines of a fetch, as a further line of the log."""
    lines, position = [], 0
    while re.fullmatch(rb"[0-9a-f]{4}", length := body[position : position + 4]):
        end = position + max(int(length, 16), 4)
        line = body[position + 4 : end].decode("latin-1").strip()
        if line.startswith(("want ", "deepen")):
            lines.append(" ".join(line.split()[:2]))
        position = end
    return "\n> " + ", ".join(lines) if lines else ""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, root, token, log):
        super().__init__(("127.0.0.1", port), Handler)
        self.root = root
        self.credentials = b"x-access-token:" + token.encode()
        self.lines = open(log, "a", buffering=1, encoding="utf-8")
        self.lock = threading.Lock()

    def repository(self, owner, name):
        for folder in (f"{owner}/{name}.git", f"{owner}/{name}"):
            path = os.path.join(self.root, folder)
            if os.path.isdir(path):
                return path
        return None

    def log(self, line):
        with self.lock:
            self.lines.write(line + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, default=0, help="0 for a free one (default)")
    parser.add_argument("--log", required=True, help="a file that gets a line for each request")
    options = parser.parse_args()
    try:
        root, token = os.environ["GIT_ROOT"], os.environ["GIT_TOKEN"]
    except KeyError as missing:
        sys.exit(f"git_server.py: the environment has no {missing.args[0]}")
    server = Server(options.port, os.path.abspath(root), token, options.log)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
