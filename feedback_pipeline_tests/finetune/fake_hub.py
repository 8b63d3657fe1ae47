"""The endpoints of the Hugging Face hub that a push calls, on this machine, with commits, tags and large files."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_a-token-that-may-write"


@dataclass
class Commit:
    """One state of a repository."""

    oid: str
    message: str
    files: dict[str, bytes]


@dataclass
class Repository:
    """One dataset repository."""

    private: bool
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def main(self) -> dict[str, bytes]:
        return self.commits[-1].files

    def at(self, tag: str) -> dict[str, bytes]:
        return next(commit.files for commit in self.commits if commit.oid == self.tags[tag])

    def commit(self, message: str, files: dict[str, bytes]) -> str:
        oid = hashlib.sha1(f"{len(self.commits)} {message}".encode()).hexdigest()
        self.commits.append(Commit(oid, message, files))
        return oid


@dataclass
class Hub:
    """The hub: what it holds and what was asked of it."""

    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: str | None = None
    """A pattern of METHOD and path; what matches is refused."""

    def create(self, body: bytes) -> tuple[int, Any]:
        wanted = json.loads(body)
        assert wanted["type"] == "dataset"
        repo = f"{wanted['organization']}/{wanted['name']}"
        status = 409 if repo in self.repositories else 200
        if status == 200:
            self.repositories[repo] = Repository(wanted["visibility"] == "private")
            self.repositories[repo].commit("initial commit", {".gitattributes": b"*.parquet filter=lfs\n"})
        return status, {"url": f"{self.endpoint}/datasets/{repo}"}

    def info(self, repo: Repository, name: str) -> tuple[int, Any]:
        siblings = [{"rfilename": path} for path in sorted(repo.main)]
        return 200, {"id": name, "private": repo.private, "sha": repo.commits[-1].oid, "siblings": siblings}

    def tree(self, repo: Repository) -> tuple[int, Any]:
        files = sorted(repo.main.items())
        return 200, [{"type": "file", "path": p, "size": len(c), "oid": _git_oid(c)} for p, c in files]

    def refs(self, repo: Repository) -> tuple[int, Any]:
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": oid} for n, oid in repo.tags.items()]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commits[-1].oid}
        return 200, {"branches": [main], "converts": [], "tags": tags}

    def preupload(self, repo: Repository, body: bytes) -> tuple[int, Any]:
        return 200, {"files": [self._mode(repo, one["path"]) for one in json.loads(body)["files"]]}

    def _mode(self, repo: Repository, path: str) -> dict[str, Any]:
        large, held = path.endswith(".parquet"), repo.main.get(path)
        oid = None if held is None else hashlib.sha256(held).hexdigest() if large else _git_oid(held)
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def batch(self, body: bytes) -> tuple[int, Any]:
        objects = json.loads(body)["objects"]
        for one in objects:
            if one["oid"] not in self.large:
                one["actions"] = {"upload": {"href": f"{self.endpoint}/large/{one['oid']}", "header": {}}}
        return 200, {"transfer": "basic", "objects": objects}

    def upload(self, oid: str, body: bytes) -> tuple[int, Any]:
        assert hashlib.sha256(body).hexdigest() == oid
        self.large[oid] = body
        return 200, {}

    def commit(self, repo: Repository, name: str, body: bytes) -> tuple[int, Any]:
        message, files = "", dict(repo.main)
        for key, value in ((item["key"], item["value"]) for item in map(json.loads, body.splitlines())):
            if key == "header":
                message = value["summary"]
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
            else:
                raise AssertionError(key)
        oid = repo.commit(message, files)
        return 200, {"commitUrl": f"{self.endpoint}/datasets/{name}/commit/{oid}", "commitOid": oid}

    def tag(self, repo: Repository, revision: str, body: bytes) -> tuple[int, Any]:
        name = json.loads(body)["tag"]
        if name in repo.tags:
            return 409, {"error": "Tag reference exists already"}
        repo.tags[name] = repo.commits[-1].oid if revision == "main" else revision
        return 200, {}

    def untag(self, repo: Repository, name: str) -> tuple[int, Any]:
        del repo.tags[name]
        return 200, {}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer one request."""
        if self.broken and re.search(self.broken, f"{method} {path}"):
            return 403, {"error": "broken"}
        if (method, path) == ("POST", "/api/repos/create"):
            return self.create(body)
        if (method, path) == ("POST", "/api/validate-yaml"):
            return 200, {"warnings": [], "errors": []}
        if method == "PUT":
            return self.upload(path.removeprefix("/large/"), body)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.batch(body)
        found = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/(\w+)(?:/([^/]+))?)?", path)
        if not found or found[1] not in self.repositories:
            return 404, {"error": "Repository not found"}
        return self._of(method, self.repositories[found[1]], found[1], found[2], found[3], body)

    def _of(self, method: str, repo: Repository, name: str, what: str | None, of: str, body: bytes) -> tuple[int, Any]:
        answers = {
            ("GET", None): lambda: self.info(repo, name),
            ("GET", "revision"): lambda: self.info(repo, name),
            ("GET", "tree"): lambda: self.tree(repo),
            ("GET", "refs"): lambda: self.refs(repo),
            ("POST", "preupload"): lambda: self.preupload(repo, body),
            ("POST", "commit"): lambda: self.commit(repo, name, body),
            ("POST", "tag"): lambda: self.tag(repo, of, body),
            ("DELETE", "tag"): lambda: self.untag(repo, of),
        }
        return answers[method, what]()


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def fake_hub() -> Iterator[Hub]:
    """Run a hub with nothing in it that lets ``TOKEN`` write."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            path = self.path.split("?")[0]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"{self.command} {path}")
            allowed = path.startswith("/large/") or self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, document = hub.answer(self.command, path, body) if allowed else (401, {"error": "no"})
            answer = json.dumps(document).encode()
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
