"""A temporary folder for Frida, which unpacks 10 MB there and leaves them behind: we remove the folder when we exit."""
import os
import shutil
import signal
import tempfile


def make_temp():
    """Creates it, makes Frida and our children use it, and returns its path. Raises OSError."""
    with open("/proc/self/stat", "rb") as stat:
        start = stat.read().rsplit(b")", 1)[1].split()[19].decode()
    # Named like the cli's own folders, so that it gets cleaned up even if we are killed.
    path = tempfile.mkdtemp(prefix="hotpatch-%d-%s-" % (os.getpid(), start))
    os.environ["TMPDIR"] = path
    return path


def remove_temp(path):
    end_helpers(path)
    shutil.rmtree(path, ignore_errors=True)


def end_helpers(path):
    """Ends Frida's helper, unpacked into our folder, which would otherwise linger for a minute for others to use."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink("/proc/%s/exe" % entry).startswith(path + "/"):
                os.kill(int(entry), signal.SIGTERM)
        except OSError:
            pass  # not ours to look at, or just gone
