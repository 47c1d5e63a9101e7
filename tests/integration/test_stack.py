"""A real stack by Compose v2: nginx before a Python application, PostgreSQL and Redis, all of Debian's packages.

The application's image is changed while clients ask without a pause: none of them may notice.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.compose import Compose, address_of_port, version_two
from tests.integration.rig import Daemon

BASE = "stack-base:1"
PACKAGES = "nginx-light,postgresql,redis-server,python3-psycopg2,python3-redis"
CLIENTS = 3
ENOUGH = 20

DOCKERFILE = f"""\
FROM {BASE}
ARG VERSION
ENV VERSION=$VERSION
COPY app.py /app.py
USER www-data
CMD ["python3", "/app.py"]
"""

APP = """\
import json, os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import psycopg2, redis

word = open("/run/secrets/password").read()
store = redis.Redis("cache")
local = threading.local()

def row():
    with psycopg2.connect(host="database", user="postgres", password=word) as connection:
        with connection.cursor() as cursor:
            cursor.execute("insert into visits default values returning n")
            return cursor.fetchone()[0]

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            told = {"redis": store.ping()}
        else:
            told = {"version": os.environ["VERSION"], "row": row(), "hits": store.incr("hits")}
        text = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = False

with Server(("", 8000), Page) as server:
    # What was begun is finished: leaving the block waits for the threads.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
"""

DATABASE = """\
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
[ -s $PGDATA/PG_VERSION ] || {
    initdb --auth-local=trust --auth-host=scram-sha-256 --username=postgres --pwfile=/run/secrets/password >/dev/null
    echo 'host all all all scram-sha-256' >>$PGDATA/pg_hba.conf
    echo 'create table visits (n serial primary key);' | postgres --single -j -D $PGDATA postgres >/dev/null
}
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
"""

NGINX = """\
daemon off;
error_log /dev/stderr;
events {}
http {
    access_log off;
    upstream app { server app:8000; }
    server {
        listen 80;
        location / {
            proxy_pass http://app;
            proxy_next_upstream error timeout http_502;
        }
    }
}
"""

RELOAD = """\
old=$(cat /proc/1/task/1/children)
nginx -s reload
for worker in $old; do while [ -d /proc/$worker ]; do sleep 0.1; done; done
"""
"""Until the old workers, which know only the old upstreams, have ended: they take requests for a moment still."""

STACK = f"""
services:
  front:
    image: {BASE}
    command: nginx
    configs: [{{source: nginx, target: /etc/nginx/nginx.conf}}]
    ports: ["127.0.0.1::80"]
    depends_on: {{app: {{condition: service_healthy}}}}
    networks: [public, inner]
  app:
    image: stack-app
    build: {{context: ., args: [VERSION]}}
    deploy: {{replicas: 2}}
    depends_on: {{database: {{condition: service_healthy}}, cache: {{condition: service_healthy}}}}
    healthcheck:
      test: [CMD, python3, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
      interval: 1s
      retries: 60
    secrets: [password]
    networks: [inner]
  database:
    image: {BASE}
    user: postgres
    command: sh /init.sh
    environment: {{PGDATA: /var/lib/postgresql/data}}
    configs: [{{source: database, target: /init.sh}}]
    secrets: [password]
    shm_size: 128m
    volumes: ["rows:/var/lib/postgresql"]
    healthcheck: {{test: "psql -h /tmp -U postgres -c 'select * from visits limit 1'", interval: 1s, retries: 60}}
    networks: [inner]
  cache:
    image: {BASE}
    user: redis
    command: redis-server --bind 0.0.0.0 --protected-mode no --dir /var/lib/redis --appendonly yes
    volumes: ["hits:/var/lib/redis"]
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 1s, retries: 60}}
    networks: [inner]
networks:
  public: {{}}
  inner: {{internal: true}}
volumes: {{rows: {{}}, hits: {{}}}}
configs:
  nginx: {{file: ./nginx.conf}}
  database: {{file: ./database.sh}}
secrets:
  password: {{file: ./password}}
"""


@dataclass
class Clients:
    """What clients were told, who ask one after the other until the end."""

    url: str
    answers: list[dict[str, str | int]] = field(default_factory=list)
    failures: list[OSError] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)
    ends: bool = False

    def ask(self) -> dict[str, str | int]:
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            told: dict[str, str | int] = json.load(answer)
        return told

    def _ask_on(self) -> None:
        while not self.ends:
            try:
                told = self.ask()
            except OSError as error:
                self.failures.append(error)
                continue
            with self.more:
                self.answers.append(told)
                self.more.notify_all()

    @contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask_on) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.ends = True
            for thread in threads:
                thread.join()

    def wait_for(self, version: str) -> None:
        """Return when that many answers in a row were of this version."""
        with self.more:
            done = self.more.wait_for(
                lambda: (
                    len(last := self.answers[-ENOUGH:]) == ENOUGH
                    and {answer["version"] for answer in last} == {version}
                ),
                timeout=60,
            )
        assert done, (self.answers[-ENOUGH:], self.failures)


@pytest.fixture
def stack(daemon: Daemon, tmp_path: Path) -> Compose:
    compose = version_two(daemon, tmp_path)
    daemon.zonehost("bootstrap", "debian:bookworm", "--include", PACKAGES, "--tag", BASE)
    files = {"compose.yaml": STACK, "Dockerfile": DOCKERFILE, "app.py": APP, "nginx.conf": NGINX}
    for name, text in {**files, "database.sh": DATABASE, "password": "a secret"}.items():
        compose.write(name, text)
    return compose


def build(stack: Compose, version: str) -> None:
    stack("build", "--build-arg", f"VERSION={version}", "app")


@pytest.mark.timeout(900)
def test_a_stack_changes_its_application_and_no_client_notices(stack: Compose) -> None:
    build(stack, "1")
    stack("up", "--detach", "--wait")
    clients = Clients(f"http://{address_of_port(stack, 'front', 80)}/")
    old = [stack.container("app", number) for number in (1, 2)]
    with clients.asking():
        clients.wait_for("1")
        build(stack, "2")
        stack("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", "app=4", "app")
        stack("exec", "-T", "front", "sh", "-c", RELOAD)
        stack.daemon.docker("stop", *old)
        stack.daemon.docker("rm", *old)
        clients.wait_for("2")
        stack("exec", "-T", "front", "sh", "-c", RELOAD)
    assert clients.failures == []
    assert {answer["version"] for answer in clients.answers} == {"1", "2"}
    # What they wrote outlives all containers.
    stack("down")
    stack("up", "--detach", "--wait")
    told = Clients(f"http://{address_of_port(stack, 'front', 80)}/").ask()
    assert told["version"] == "2"
    assert int(told["row"]) > len(clients.answers)
    assert int(told["hits"]) > len(clients.answers)
    stack("down", "--volumes")
