"""The exit status of a process that may not be our child, which wait() cannot provide."""
import fcntl
import struct
import time

# Since Linux 6.15: the exit status of any process whose pidfd was open when it exited. linux/pidfd.h
PIDFD_GET_INFO = 0xC040FF0B
PIDFD_INFO_EXIT = 8


def wait_status(pid, pidfd):
    """The wait status of a process that has exited, or None if the kernel does not tell."""
    # A zombie's status is in its stat, a reaped process's behind its pidfd: it may be reaped between the two checks.
    for _ in range(20):
        for tell, which in ((of_zombie, pid), (of_reaped, pidfd)):
            status = tell(which)
            if status is not None:
                return status
        time.sleep(0.005)
    return None


def of_zombie(pid):
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            fields = stat.read().rsplit(b")", 1)[1].split()
    except OSError:
        return None  # reaped already
    return int(fields[49]) if fields[0] in (b"Z", b"X") else None  # field 52, exit_code


def of_reaped(pidfd):
    info = bytearray(struct.pack("<Q", PIDFD_INFO_EXIT) + bytes(56))
    try:
        fcntl.ioctl(pidfd, PIDFD_GET_INFO, info, True)
    except OSError:
        return None  # an older kernel
    return struct.unpack_from("<i", info, 60)[0] if struct.unpack_from("<Q", info)[0] & PIDFD_INFO_EXIT else None
