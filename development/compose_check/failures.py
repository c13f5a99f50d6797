"""Checks that the running project survives more workers, killed processes, a stop and a second start."""

import asyncio
import os
import signal
import time
from collections import Counter

from development.compose_check.engine import CheckFailed
from development.compose_check.life import Life, some_orders, status_of
from development.compose_check.project import Container, Project, check, wait_until
from development.compose_check.proofs import workers_that_poll


def scale(project: Project, count: int) -> str:
    """Start or stop workers up to this number. Check that all are healthy and poll, and no container was replaced."""
    before = {each.id for each in project.containers()}
    project.up("--no-recreate", "--scale", f"worker={count}")
    workers = project.containers("worker")
    check(len(workers) == count, f"there are {len(workers)} workers, not {count}")
    gone = before - {each.id for each in project.containers()}
    check(not gone, f"containers were replaced: {gone}")
    ids = {each.id[:12] for each in workers}
    wait_until(lambda: ids <= workers_that_poll(project), f"{count} workers to poll", 60)
    return f"{count} workers"


def kill(project: Project, victim: Container) -> None:
    """Kill the first process of a container, as the kernel does if memory runs out. Docker has to start it again.

    `docker kill` would not do: Docker treats a container that it kills as stopped by hand.
    """
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(
        lambda: any(
            each.id == victim.id and each.is_running and each.pid != victim.pid
            for each in project.containers(victim.service)
        ),
        f"Docker to start {victim.name} again",
        60,
    )


async def kill_while_orders_run(life: Life, first: int) -> str:
    """Kill a worker and PostgreSQL while orders run, and check that none is lost and none does a step twice."""
    project, orders = life.project, some_orders(6, first)
    living = asyncio.create_task(life.live(orders))
    try:
        for victim in (project.containers("worker")[0], project.container("postgresql")):
            await asyncio.sleep(2)
            check(not living.done(), "the orders were executed before anything was killed")
            await asyncio.to_thread(kill, project, victim)
        await living
    except CheckFailed:
        living.cancel()
        raise
    await life.check_lived(orders)
    await asyncio.to_thread(project.until_healthy, ["worker", "postgresql", "web"])
    return f"{len(orders)} orders, a worker and PostgreSQL killed"


def kill_temporal(project: Project) -> str:
    """Check that the web application reports that it is not ready without Temporal, and is ready again with it."""
    temporal = project.container("temporal")
    os.kill(temporal.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: status_of("/readyz") == 503, "/readyz to say 503", 60)
        check(status_of("/healthz") == 200, "/healthz should not depend on Temporal")
    finally:
        os.kill(temporal.pid, signal.SIGCONT)
    kill(project, temporal)
    wait_until(lambda: status_of("/readyz") == 200, "/readyz to say 200", 90)
    project.until_healthy(["temporal", "worker", "web"])
    return "not ready without it, ready with it"


def kill_web(project: Project) -> str:
    """Check that a killed web application comes back by itself."""
    began = time.monotonic()
    kill(project, project.container("web"))
    wait_until(lambda: status_of("/readyz") == 200, "the web application to be back", 90)
    return f"back after {time.monotonic() - began:.0f} s"


def stop(project: Project) -> str:
    """Check that all containers end within their grace period, and ours by themselves with exit code 0."""
    config, began = project.config()["services"], time.time()
    running = [each for each in project.containers() if each.is_running]
    project.compose("stop", patience=180)
    # Docker reports a moment after the command has returned that a container has died.
    dead = Counter(each.service for each in running)
    wait_until(
        lambda: dead == Counter(e.service for e in project.events(began) if e.what == "die"),
        f"{sorted(dead.elements())} to end",
        15,
        lambda: str(project.events(began)),
    )
    events = project.events(began)
    longest = 0.0
    for each in running:
        asks = ("kill 15", "kill 2")  # the signal of PostgreSQL is SIGINT
        asked = [e.at for e in events if e.service == each.service and e.what in asks]
        died = [e for e in events if e.service == each.service and e.what == "die"]
        took = max(e.at for e in died) - min(asked or [died[0].at])
        grace = _seconds(config[each.service].get("stop_grace_period", "10s"))
        check(took < grace, f"{each.name} took {took:.0f} s to end and has {grace:.0f} s")
        if each.service in ("web", "worker", "postgresql"):
            codes = {e.exit_code for e in died}
            check(codes == {0}, f"{each.service} ended with {codes}, not with 0")
        killed = [e for e in events if e.service == each.service and e.what == "kill 9"]
        check(not killed, f"{each.name} was killed")
        longest = max(longest, took)
    return f"{len(running)} containers, the slowest in {longest:.0f} s"


def _seconds(text: str) -> float:
    """A duration as Compose prints it, like `1m30s`."""
    minutes, _, seconds = text.rpartition("m")
    return 60 * float(minutes or 0) + float(seconds.removesuffix("s") or 0)
