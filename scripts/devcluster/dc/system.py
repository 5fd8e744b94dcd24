"""Processes, control groups and mounts of this machine. Knows nothing of Kubernetes."""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import time

from .say import Fail

# Every child inherits the lock of the command that started it (a launcher drops it when its
# component is recorded), so that after a SIGKILL the next command waits for the stragglers.
# One digit, because dash can close no other.
LOCK_FD = 9
_locked = False

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2

# Joins the control groups, records its own id and start time, and becomes the component:
# there is no moment at which a component runs unrecorded.
LAUNCHER = r"""
set -e
record=$1 note=$2; shift 2
start_time() { printf %s "${22}"; }
while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs"; shift; done
shift
read -r stat < /proc/$$/stat
read -r boot < /proc/sys/kernel/random/boot_id
printf '%s %s %s %s\n' $$ "$(start_time $stat)" "$boot" "$note" > "$record.new"
mv "$record.new" "$record"
exec 9>&-
exec "$@"
"""


def boot_id():
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def read_text(path, default=None):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        if default is None:
            raise
        return default


def write_file(path, data, mode=0o600):
    """Replaces a file in one step; a reader sees the old or the new content. True if it changed."""
    data = data.encode() if isinstance(data, str) else data
    try:
        with open(path, "rb") as f:
            if f.read() == data:
                return False
    except OSError:
        pass
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
        f.write(data)
    os.rename(new, path)
    return True


def environment(**more):
    """What children get: no proxies and no settings of the user's shell."""
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
           "HOME": "/root" if os.geteuid() == 0 else os.environ.get("HOME", "/"), "LANG": "C"}
    env.update(more)
    return env


def run(argv, timeout=30, ok=(0,), stdin=None, env=None, cwd=None):
    """Runs a helper to its end and returns (status, stdout, stderr) as text."""
    fds = (LOCK_FD,) if _locked else ()
    try:
        with subprocess.Popen(argv, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=fds,
                              env=env or environment(), cwd=cwd, start_new_session=True) as p:
            try:
                out, err = p.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired as e:
                os.killpg(p.pid, signal.SIGKILL)
                p.communicate()
                raise Fail(f"{os.path.basename(argv[0])} did not end within {timeout:.0f} s") from e
            except BaseException:
                os.killpg(p.pid, signal.SIGKILL)
                raise
    except FileNotFoundError as e:
        raise Fail(f"{argv[0]} is not installed") from e
    out, err = out.decode(errors="replace"), err.decode(errors="replace")
    if ok is not None and p.returncode not in ok:
        lines = (err.strip() or out.strip() or f"status {p.returncode}").splitlines()
        raise Fail(f"{' '.join(argv[:4])}: {lines[-1][:400]}")
    return p.returncode, out, err


def take_lock(path, seconds):
    """One command per cluster: waits, then says who holds it. The lock ends with the process."""
    global _locked
    end = time.monotonic() + seconds
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as e:
                if time.monotonic() > end:
                    holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
                    raise Fail(f"another devcluster command works on this cluster (process {holder})",
                               "wait for it to end") from e
                time.sleep(0.05)
        with contextlib.suppress(OSError):
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                break
        os.close(fd)    # `down` removed this one while we waited
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    if fd != LOCK_FD:
        os.dup2(fd, LOCK_FD, inheritable=False)
        os.close(fd)
    _locked = True


# -- processes -----------------------------------------------------------------------------------

def start_time(pid):
    """Field 22 of the process's stat, or None when it is gone or a zombie."""
    try:
        stat = read_text(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2:].split()
    return None if fields[0] in "ZX" else fields[19]


class Record:
    """A started component as its launcher wrote it down."""

    def __init__(self, path):
        self.path = path
        words = read_text(path, "").split()
        self.valid = len(words) == 4 and words[0].isdigit()
        self.pid = int(words[0]) if self.valid else 0
        self.start, self.boot, self.note = words[1:] if self.valid else ("", "", "")

    def alive(self):
        return self.valid and self.boot == boot_id() and start_time(self.pid) == self.start

    def signal(self, number):
        """Signals exactly the recorded process: the descriptor pins the id while we compare."""
        if not self.valid or self.boot != boot_id():
            return
        try:
            fd = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            if start_time(self.pid) == self.start:
                signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)

    def forget(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def launch(argv, record, note, log, cgroups, env, cwd):
    """Starts a component that outlives us; it is recorded before it begins."""
    rotate(log)
    with open(log, "ab") as out:
        # pylint: disable=consider-using-with
        p = subprocess.Popen(["/bin/sh", "-c", LAUNCHER, "launch", record, note, *cgroups, "--", *argv],
                             stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd,
                             pass_fds=(LOCK_FD,), start_new_session=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        r = Record(record)
        if r.valid and r.pid == p.pid:
            return r
        if p.poll() is not None:
            raise Fail(f"{os.path.basename(argv[0])} could not be started: {last_line(log)}")
        time.sleep(0.002)
    p.kill()
    raise Fail(f"{os.path.basename(argv[0])} did not start within 10 s")


def rotate(log, most=64 << 20):
    with contextlib.suppress(FileNotFoundError):
        if os.stat(log).st_size > most:
            os.rename(log, log + ".old")


def last_line(path):
    with contextlib.suppress(OSError), open(path, "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 4096))
        lines = [x for x in f.read().decode(errors="replace").splitlines() if x.strip()]
        if lines:
            return lines[-1].strip()[:300]
    return "no output"


def end_all(records, grace):
    """SIGTERM to all at once (none when grace is 0), SIGKILL to what is left; waits until gone."""
    records = [r for r in records if r.alive()]
    if grace:
        for r in records:
            r.signal(signal.SIGTERM)
        end = time.monotonic() + grace
        while time.monotonic() < end and any(r.alive() for r in records):
            time.sleep(0.02)
    for r in records:
        r.signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while any(r.alive() for r in records):
        if time.monotonic() > end:
            pids = ", ".join(str(r.pid) for r in records if r.alive())
            raise Fail(f"process {pids} does not end on SIGKILL", "look at its state in /proc")
        time.sleep(0.01)


# -- control groups ------------------------------------------------------------------------------

def cgroup_is_v2():
    return any(fields[1] == "/sys/fs/cgroup" and fields[2] == "cgroup2"
               for fields in (x.split() for x in read_text("/proc/mounts").splitlines()))


def cgroup_roots(every=False):
    """The mounted hierarchies: one for version 2, one per controller for version 1."""
    found = {}
    for line in read_text("/proc/mounts").splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup" or (kind == "cgroup2" and (every or where == "/sys/fs/cgroup")):
            found.setdefault(options if kind == "cgroup" else kind, unescape(where))
    return sorted(found.values())


def cgroup_make(group):
    """Creates a group in every hierarchy, able to hold processes; returns its folders."""
    made = []
    for root in cgroup_roots():
        path = root
        for part in group.split("/"):
            above, path = path, f"{path}/{part}"
            if cgroup_is_v2():
                _enable_controllers(above)
            os.makedirs(path, exist_ok=True)
            _copy_cpuset(above, path)
        made.append(path)
    return made


def _enable_controllers(folder):
    have = read_text(f"{folder}/cgroup.controllers", "").split()
    on = read_text(f"{folder}/cgroup.subtree_control", "").split()
    for controller in have:
        if controller not in on:
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.subtree_control", "w",
                                                    encoding="ascii") as f:
                f.write(f"+{controller}")


def cgroup_lacks(group, wanted):
    """Which of these controllers a group does not have."""
    if cgroup_is_v2():
        have = read_text(f"/sys/fs/cgroup/{group}/cgroup.controllers", "").split()
    else:
        lines = (x.split() for x in read_text("/proc/mounts").splitlines())
        have = [o for fields in lines if fields[2] == "cgroup" for o in fields[3].split(",")]
    return [x for x in wanted if x not in have]


def _copy_cpuset(above, path):
    """In version 1 a cpuset takes no process before it has been given processors and memory."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not cgroup_is_v2() and os.path.exists(f"{path}/{name}") and not read_text(f"{path}/{name}").strip():
            with open(f"{path}/{name}", "w", encoding="ascii") as f:
                f.write(read_text(f"{above}/{name}"))


def cgroup_weight(group, times):
    """Gives a group the weight of that many ordinary processes."""
    for root in cgroup_roots():
        for name, value in (("cpu.shares", 1024 * times), ("cpu.weight", min(10000, 100 * times))):
            path = f"{root}/{group}/{name}"
            if os.path.exists(path):
                with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as f:
                    f.write(str(value))


def cgroup_folders(group):
    """Every existing folder of a group and below, deepest first."""
    found = []
    for root in cgroup_roots(every=True):
        for folder, _, _ in os.walk(f"{root}/{group}", topdown=False):
            found.append(folder)
    return found


def cgroup_pids(group):
    pids = set()
    for folder in cgroup_folders(group):
        with contextlib.suppress(OSError):
            pids.update(int(x) for x in read_text(f"{folder}/cgroup.procs").split())
    pids.discard(0)
    return {p for p in pids if start_time(p)}


def cgroup_kill(group, seconds=15):
    """Ends every process that lives in a group: containers, their shims, what they started."""
    end = time.monotonic() + seconds
    while True:
        pids = cgroup_pids(group) - {os.getpid()}
        if not pids:
            return
        if time.monotonic() > end:
            raise Fail(f"processes of {group} do not end: {sorted(pids)[:5]}", "look at their state in /proc")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def cgroup_remove(group, seconds=10):
    end = time.monotonic() + seconds
    while True:
        folders = cgroup_folders(group)
        if not folders:
            return
        for folder in folders:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if time.monotonic() > end:
            raise Fail(f"control group {folders[0]} cannot be removed", "see its cgroup.procs")
        time.sleep(0.01)


# -- mounts --------------------------------------------------------------------------------------

def unescape(path):
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), path)


def mounts():
    """(mount point, file system type) of every mount, in the order they were made."""
    found = []
    for line in read_text("/proc/self/mountinfo").splitlines():
        fields = line.split()
        found.append((unescape(fields[4]), fields[fields.index("-") + 1]))
    return found


def mounts_below(folder):
    return [where for where, _ in mounts() if where == folder or where.startswith(folder + "/")]


def unmount_below(folder):
    """Unmounts all of it, newest first; what is busy is detached, as all users are gone."""
    folder = os.path.realpath(folder)
    for _ in range(5):
        found = mounts_below(folder)
        if not found:
            return
        for where in reversed(found):
            if LIBC.umount2(where.encode(), 0) != 0:
                LIBC.umount2(where.encode(), MNT_DETACH)
    left = mounts_below(folder)
    if left:
        raise Fail(f"{left[0]} cannot be unmounted", "unmount it by hand and run down again")
