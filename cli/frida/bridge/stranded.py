"""What becomes of Frida's threads in a host that has closed their file descriptors, as closefrom() does.

They poll descriptors that are gone, each as fast as it can, for the rest of the host's life. Nobody can reach them any more,
and to end them could leave a lock behind: so each is led, between two system calls, to wait for ever instead.
"""
from carrier_code import REST
from image import SYSCALL_RET, Image, living_thread, threads_of
from ptrace import NO_CALL, QUIET_MASK, STOP_S, DoesNotStop, Tracee, Unfit
from stacks import addresses_on_stack, place_of

AGENT = "memfd:frida-agent"
# System calls that a thread may be led away from: ppoll, poll, read, futex.
WAITS = (271, 7, 0, 202)
# System calls that are looked at in one thread until it makes one of those.
LOOKS = 1000
SYSCALL = SYSCALL_RET[:2]


def lay_to_rest(pid, rest):
    """rest: the address of code that waits for ever. Must be called on a thread that may trace. How many were led there."""
    image = Image(living_thread(pid))
    agent = [(one.start, one.end) for one in image.mappings if AGENT in one.path]
    count = 0
    for tid in threads_of(pid) if agent else []:
        try:
            place = place_of(tid)
            if place is None or rest <= place[0] < rest + len(REST):
                continue  # it has ended, or rests since an earlier session
            if addresses_on_stack(image, place, agent):
                count += lead(image, tid, rest)
        except (Unfit, DoesNotStop, OSError):
            pass  # it has ended, or stops later: then it rests as well, until we end
    return count


def lead(image, tid, rest):
    tracee = Tracee(tid)
    try:
        for _ in range(LOOKS):
            registers = tracee.registers
            # Where it stands behind the call itself, and not in the handler of a signal that ended it.
            if registers["orig_rax"] in WAITS and image.read(registers["rip"] - 2, 2) == SYSCALL:
                tracee.blocked = QUIET_MASK
                tracee.registers = {**registers, "rip": rest, "orig_rax": NO_CALL}
                return 1
            tracee.wait_for_syscall(STOP_S)
        return 0
    finally:
        tracee.detach()
