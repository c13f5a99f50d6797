"""Docker Engine and Docker Compose, from Debian's packages, in their own folder and namespaces.

Nothing is installed on this machine: the programs are in a Debian base system in the folder, and the daemon runs in
network, mount and process namespaces that end with this process, with all its containers, bridges and rules.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

RELEASE = "trixie"
"""The first release of Debian whose Docker Compose is new enough for inline configs (2.23.1)."""
PACKAGES = (
    "docker.io,docker-cli,docker-compose,docker-buildx,iptables,iproute2,mount,ca-certificates"
)
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
CONTROL_GROUP = "cmi-compose-check"
SYSTEM = ("/proc", "/sys", "/dev")
_AS_ROOT_OF_ITS_OWN = """
cd "$0"
mkdir -p old
pivot_root . old
exec chroot . sh -euc 'umount --lazy /old; exec "$0" "$@"' "$@"
"""
# With chroot alone, `docker exec` would enter this machine's root in place of the container's.
WITHIN = "--within"
"""The option with which the command starts itself once more, in the namespaces."""


class CheckFailed(Exception):
    """What the check found; the text says where and what was expected."""


def base_system(folder: Path, name: str, release: str, packages: str) -> Path:
    """A Debian base system as a folder (or as a tar file, if the name says so). It is made once and kept."""
    target = folder / name
    if target.exists():
        return target
    made = folder / f"new-{name}"
    _remove(made)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
    # As root: apt's own user may not be allowed to write to the folder for temporary files.
    command += ['--aptopt=APT::Sandbox::User "root"', release, str(made)]
    run(command, patience=600)
    made.rename(target)
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run_in_namespaces(arguments: Sequence[str], log: Path) -> int:
    """Run this command once more in new namespaces, whose network leads outside by slirp4netns. Returns its exit code.

    Whatever is left in the namespaces when it ends is killed by the kernel.
    """
    inner = subprocess.Popen(
        [*NAMESPACES, sys.executable, "-m", "development.compose_check", WITHIN, *arguments]
    )
    try:
        _until_moved(inner)
        with log.open("wb") as out:
            network = subprocess.Popen(
                [
                    *("slirp4netns", "--configure", "--mtu=1500", "--disable-host-loopback"),
                    *(str(inner.pid), "tap0"),
                ],
                stdout=out,
                stderr=out,
            )
        try:
            return inner.wait()
        finally:
            network.terminate()
            network.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        _end(inner)
        _remove_control_groups()


def _end(inner: "subprocess.Popen[bytes]") -> None:
    """Ask the command in the namespaces to clean up and end; after a minute everything there is killed."""
    children = Path(f"/proc/{inner.pid}/task/{inner.pid}/children")
    with suppress(OSError):  # it has ended
        for child in children.read_text().split():  # unshare itself ignores the signal
            os.kill(int(child), signal.SIGTERM)
    try:
        inner.wait(60)
    except subprocess.TimeoutExpired:
        inner.kill()
        inner.wait()


def _remove_control_groups() -> None:
    """Remove the control groups of containers, which do not end with the namespaces."""
    for above in (CONTROL_GROUP, f"*/{CONTROL_GROUP}"):
        for top in Path("/sys/fs/cgroup").glob(above):
            for group in (*sorted(top.rglob("*/"), reverse=True), top):
                with suppress(OSError):
                    group.rmdir()


def _until_moved(process: "subprocess.Popen[bytes]") -> None:
    own = os.readlink("/proc/self/ns/net")
    end = time.monotonic() + 10
    while os.readlink(f"/proc/{process.pid}/ns/net") == own:
        if process.poll() is not None or time.monotonic() > end:
            raise CheckFailed("no namespaces can be made here: run it as root")
        time.sleep(0.02)


def run(
    command: Sequence[str],
    *,
    patience: float = 120,
    env: dict[str, str] | None = None,
    text: str | None = None,
    ok: bool = True,
) -> "subprocess.CompletedProcess[str]":
    """Run a command and keep what it prints.

    Raises:
        CheckFailed: it failed (if `ok`), or took longer than `patience` seconds.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"{_short(command)}: took longer than {patience:.0f} s") from error
    if ok and done.returncode:
        said = (done.stdout + done.stderr).strip()[-6000:]
        raise CheckFailed(f"{_short(command)}: exit code {done.returncode}\n{said}")
    return done


def _short(command: Sequence[str]) -> str:
    return " ".join(command[:2] if command[0] == "mmdebstrap" else command)[-300:]


class Engine:
    """A Docker daemon that this process starts and stops. Only within the namespaces.

    Attributes:
        folder: where the base system, the images and the log are.
    """

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self._repository = repository
        self._root = folder / "docker"
        self._socket = f"unix://{folder}/docker.sock"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and wait until it answers.

        Raises:
            CheckFailed: it did not.
        """
        root = str(self._root)
        run(["mount", "--make-rprivate", "/"])
        run(["mount", "--bind", root, root])
        for shared in (*SYSTEM, str(self._repository), str(self.folder)):
            inside = Path(root + shared)
            inside.mkdir(parents=True, exist_ok=True)
            run(["mount", "--rbind" if shared in SYSTEM else "--bind", shared, str(inside)])
        run(["mount", "-t", "tmpfs", "tmpfs", f"{root}/run"])
        shutil.copyfile("/etc/resolv.conf", self._root / "etc/resolv.conf")
        run(["chroot", root, "ip", "link", "set", "lo", "up"])
        self._until_network()
        with (self.folder / "dockerd.log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [
                    *("unshare", "--mount", "sh", "-euc", _AS_ROOT_OF_ITS_OWN, root),
                    *("dockerd", "--host", self._socket, "--log-level", "warn"),
                    *("--cgroup-parent", f"/{CONTROL_GROUP}"),
                    *(
                        "--data-root",
                        str(self.folder / "docker-data"),
                        "--exec-root",
                        "/run/docker",
                    ),
                    # The daemon must not request more than the machine allows.
                    *("--default-ulimit", "nofile=1024:1024"),
                    *("--default-ulimit", "nproc=1024:1024"),
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while self.docker("version", ok=False).returncode:
            if self._daemon.poll() is not None or time.monotonic() > end:
                said = (self.folder / "dockerd.log").read_text(errors="replace")[-4000:]
                raise CheckFailed(f"dockerd does not answer:\n{said}")
            time.sleep(0.2)

    def _until_network(self) -> None:
        end = time.monotonic() + 20
        while "tap0" not in run(["chroot", str(self._root), "ip", "route"]).stdout:
            if time.monotonic() > end:
                raise CheckFailed("slirp4netns made no network")
            time.sleep(0.1)

    def docker(
        self,
        *arguments: str,
        patience: float = 120,
        env: dict[str, str] | None = None,
        text: str | None = None,
        ok: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a Docker command in the repository. `env` is its environment, beside the variables that Docker needs.

        Raises:
            CheckFailed: it failed (if `ok`), or took too long.
        """
        return run(
            [
                *("chroot", str(self._root), "env", "--chdir", str(self._repository), "docker"),
                *arguments,
            ],
            env={
                **(env or {}),
                "DOCKER_HOST": self._socket,
                "HOME": "/root",
                "LC_ALL": "C.UTF-8",
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            },
            patience=patience,
            text=text,
            ok=ok,
        )

    def lines(self, *arguments: str) -> list[str]:
        """The output of a Docker command, as lines."""
        return self.docker(*arguments).stdout.split("\n")[:-1]

    def clear(self) -> None:
        """Remove all containers, volumes and networks that an earlier run may have left. Images stay."""
        containers = self.lines("ps", "--all", "--quiet")
        if containers:
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("volume", "prune", "--all", "--force")
        self.docker("network", "prune", "--force")
        self.docker("image", "prune", "--force")

    def stop(self) -> None:
        """Remove all containers and stop the daemon."""
        if self._daemon is None:
            return
        if self._daemon.poll() is None:
            self.clear()
            self._daemon.send_signal(signal.SIGTERM)
            try:
                self._daemon.wait(30)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()
        self._daemon = None
