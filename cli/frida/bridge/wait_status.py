"""How a process ended that may not be our child: such a one cannot be waited for."""
import fcntl
import struct
import time

# Linux 6.15: the exit status of any process whose pidfd was open when it ended. linux/pidfd.h
PIDFD_GET_INFO = 0xC040FF0B
PIDFD_INFO_EXIT = 8


def wait_status(pid, pidfd):
    """The wait status of an ended process, or None where the kernel does not tell."""
    # A zombie tells in its stat, a reaped process through its pidfd: it may be reaped between the two looks.
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
