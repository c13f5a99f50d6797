"""A whole instance as processes: Temporal, mail server, worker, web application and, if it is wanted, Prometheus."""

import gzip
import json
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from development.embedded import ROOT, free_port
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.processes import Process

SCRAPE_CONFIG = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [{rules}]
scrape_configs:
"""
ATTEMPTS = 3
JOB = """
  - job_name: {job}
    static_configs: [{{targets: ["{target}"]}}]
"""


class Collector:
    """Takes traces by OTLP over HTTP. `spans` are those that came, as (service, trace id, name)."""

    def __init__(self) -> None:
        spans = self.spans = list[tuple[str, str, str]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                    about = {each.key: each.value.string_value for each in of.resource.attributes}
                    spans.extend(
                        (about["service.name"], span.trace_id.hex(), span.name)
                        for scope in of.scope_spans
                        for span in scope.spans
                    )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


class Instance:
    """A running instance. `env` are the variables that its commands need, as for the worker."""

    def __init__(self, around: Surroundings, folder: Path) -> None:
        self.around = around
        self.folder = folder
        self.targets: dict[str, str] = {}
        self.collector = Collector()
        self.env = {**around.env, "PYTHONPATH": str(ROOT)}
        self.web: Process | None = None
        self._prometheus: Process | None = None

    def _process(self, job: str, command: Sequence[str], **env: str) -> Process:
        """A process that shows its metrics on ports that are free now, and exports its traces."""
        for name in (job, f"{job}-sdk"):
            self.targets[name] = f"127.0.0.1:{free_port()}"
        own = {
            "CMI_METRICS_ADDRESS": self.targets[job],
            "CMI_METRICS_TEMPORAL_ADDRESS": self.targets[f"{job}-sdk"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        log = self.folder / f"{job}.log"
        return Process([sys.executable, *command], {**self.env, **own, **env}, log)

    async def is_up(self) -> bool:
        """Whether the web application answers."""
        return await _status(f"{self.url}/healthz") == 200

    async def start(self) -> None:
        """Start worker and web application, and wait until both work.

        A port may be taken between the look and the start, by a connection of another test. Then there are others.
        """
        for _ in range(ATTEMPTS):
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            own = {"CMI_HTTP_PORT": str(port), "CMI_PUBLIC_URL": self.url}
            web = self.web = self._process("cmi-web", ["-m", "web"], **own)
            web.start()
            await eventually(partial(self._is_up_or_ended, web))
            if web.is_running:
                break
        else:
            raise AssertionError(web.text)
        for _ in range(ATTEMPTS):
            worker = self.around.worker_process = self._process(
                "cmi-worker", [str(ROOT / "worker.py")]
            )
            self.around.alive.unlink(missing_ok=True)
            worker.start()
            await eventually(partial(self._works_or_ended, worker))
            if worker.is_running:
                return
        raise AssertionError(worker.text)

    async def _is_up_or_ended(self, web: Process) -> bool:
        return not web.is_running or await self.is_up()

    def _works_or_ended(self, worker: Process) -> bool:
        return not worker.is_running or self.around.alive.exists()

    async def start_prometheus(self, rules: Path) -> None:
        """Start Prometheus with these rules, and wait until it has scraped each process."""
        config = self.folder / "prometheus.yml"
        address = f"127.0.0.1:{free_port()}"
        self.prometheus_url = f"http://{address}"
        self._prometheus = Process(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={self.folder / 'prometheus'}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            self.env,
            self.folder / "prometheus.log",
        )
        jobs = "".join(JOB.format(job=job, target=target) for job, target in self.targets.items())
        config.write_text(SCRAPE_CONFIG.format(rules=json.dumps(str(rules))) + jobs)
        self._prometheus.start()

        async def has_scraped() -> bool:
            if await _status(f"{self.prometheus_url}/-/ready") != 200:
                return False
            up = await self.query("up == 1")
            return len(up) == len(self.targets)

        await eventually(has_scraped)

    async def query(self, expression: str) -> Sequence[dict[str, Any]]:
        """The series that an expression of PromQL gives now. Fails if it is not valid."""
        async with httpx.AsyncClient(base_url=self.prometheus_url, timeout=30) as client:
            answer = await client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, (expression, answer.text)
        result: Sequence[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    async def scrape(self, job: str) -> str:
        """What a process shows to Prometheus."""
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(f"http://{self.targets[job]}/metrics")
        assert answer.status_code == 200
        return answer.text

    def kill(self) -> None:
        """End what this started."""
        for process in (self.web, self._prometheus):
            if process is not None:
                process.kill()
        self.collector.close()


async def _status(url: str) -> int | None:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.get(url)).status_code
    except httpx.TransportError:
        return None


@asynccontextmanager
async def instance(folder: Path, **env: str) -> AsyncIterator[Instance]:
    """An instance that works. All of it ends with the block."""
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(surroundings(folder, within=None, **env))
        running = Instance(around, folder)
        stack.callback(running.kill)
        await running.start()
        yield running
