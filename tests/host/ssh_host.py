"""A real sshd in a disposable machine, and clients that try to log in."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.host.boot import FINISHED
from tests.host.machine import Machine

ADMIN = "alice"
PASSWORD = "correct horse"  # noqa: S105 # of a user who lives for a second
CLOUD_INIT = "/etc/ssh/sshd_config.d/50-cloud-init.conf"

# systemd does not run here. This systemctl answers for the sshd that runs; other calls go to the
# real systemctl, which can enable units without systemd.
_SYSTEMCTL = """#!/bin/sh
echo "$*" >>/run/systemctl.log
case "$*" in
*is-active*' SERVICE') [ -e /run/sshd.pid ] && kill -0 "$(cat /run/sshd.pid)" ;;
*is-active*) exit 3 ;;
'reload-or-restart SERVICE') kill -HUP "$(cat /run/sshd.pid)" ;;
*) exec /run/systemctl "$@" ;;
esac
"""

_PREPARE = f"""
touch /run/systemctl
mount --bind /usr/bin/systemctl /run/systemctl
mount --bind /run/systemctl.sh /usr/bin/systemctl
mkdir -m 755 /run/sshd
useradd -m -s /bin/bash {ADMIN}
printf '%s\\n' '{ADMIN}:{PASSWORD}' 'root:{PASSWORD}' | chpasswd
ssh-keygen -q -t ed25519 -N '' -f /run/key
for home in /home/{ADMIN} /root; do
	mkdir -m 700 "$home/.ssh"
	cp /run/key.pub "$home/.ssh/authorized_keys"
done
chown -R {ADMIN}: /home/{ADMIN}/.ssh
mkdir -p /run/cloud-init
mkdir -p {FINISHED.rsplit("/", 1)[0]} && touch {FINISHED}
"""


class SshHost(Machine):
    """A machine after cloud-init finished, whose administrator has a key and a password."""

    def listens(self) -> bool:
        probe = "exec 3<>/dev/tcp/127.0.0.1/22 && read -t 5 -r line <&3 && [[ $line = SSH-2.0-* ]]"
        return self.run("bash", "-c", probe).returncode == 0

    def _ssh(self, user: str, *options: str, password: str = "") -> bool:
        argv = ["sshpass", "-p", password] if password else []
        argv += ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no"]
        argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *options]
        done = self.run(*argv, f"{user}@127.0.0.1", "echo", "inside", timeout=20)
        # Refused by sshd, rather than failed for another reason.
        assert done.stdout == "inside\n" or "Permission denied" in done.stderr, done.stderr
        return done.stdout == "inside\n"

    def key_logs_in(self, user: str = ADMIN) -> bool:
        return self._ssh(user, "-i", "/run/key", "-o", "BatchMode=yes")

    def password_logs_in(self, user: str = ADMIN) -> bool:
        methods = "PreferredAuthentications=password,keyboard-interactive"
        return self._ssh(user, "-o", "PubkeyAuthentication=no", "-o", methods, password=PASSWORD)

    def forwards(self, target: str) -> bool:
        """Return whether the administrator gets an HTTP response through this sshd."""
        options = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-i", "/run/key", "-W", target]
        done = self.run("ssh", *options, f"{ADMIN}@127.0.0.1", stdin="GET / HTTP/1.0\r\n\r\n")
        assert "Permission denied" not in done.stderr, done.stderr
        return " 200 OK" in done.stdout

    def effective(self, user: str = ADMIN) -> list[str]:
        return self.sh(
            f"sshd -T -h /run/key -C user={user},host=h,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
        ).splitlines()


@contextmanager
def ssh_host(
    host: Machine, *, sshd_config: str = "", running: bool = True, service: str = "ssh.service"
) -> Iterator[SshHost]:
    """Start sshd with Debian's configuration and cloud-init's, which enables passwords."""
    made = SshHost(host.pid)
    made.write("/run/systemctl.sh", _SYSTEMCTL.replace("SERVICE", service), 0o755)
    made.sh(_PREPARE)
    made.write(CLOUD_INIT, "PasswordAuthentication yes\nPermitRootLogin yes\n")
    if sshd_config:
        made.write("/etc/ssh/sshd_config", sshd_config)
    if not running:
        yield made
        return
    with subprocess.Popen(
        made.command("/usr/sbin/sshd", "-D", "-e"), stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not made.listens():
                assert time.monotonic() < deadline, "sshd did not start"
                time.sleep(0.05)
            yield made
        finally:
            process.kill()
