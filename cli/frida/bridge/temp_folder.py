"""A temporary folder for Frida. It unpacks 10 MB into its folder and leaves them there: this one goes when we go."""
import os
import shutil
import signal
import tempfile


def make_temp():
    """Makes it, and has Frida and our children use it. Its path. Raises OSError."""
    with open("/proc/self/stat", "rb") as stat:
        start = stat.read().rsplit(b")", 1)[1].split()[19].decode()
    # Named as the cli's own folders, so that it is swept should we be killed.
    path = tempfile.mkdtemp(prefix="hotpatch-%d-%s-" % (os.getpid(), start))
    os.environ["TMPDIR"] = path
    return path


def remove_temp(path):
    end_helpers(path)
    shutil.rmtree(path, ignore_errors=True)


def end_helpers(path):
    """Frida's helper, unpacked into our folder, would wait a minute for others to use it."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink("/proc/%s/exe" % entry).startswith(path + "/"):
                os.kill(int(entry), signal.SIGTERM)
        except OSError:
            pass  # not ours to look at, or just gone
