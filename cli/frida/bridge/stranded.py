"""Parks Frida's threads in a host that has closed their file descriptors, as closefrom() does.

They poll descriptors that are gone, as fast as they can, for the rest of the host's life. Nobody can reach them any more,
and terminating them could leave a lock held: so each is redirected, between two system calls, to wait for ever instead.
"""
from carrier_code import REST
from image import SYSCALL_RET, Image, living_thread, threads_of
from ptrace import NO_CALL, QUIET_MASK, STOP_S, DoesNotStop, Tracee, Unfit
from stacks import addresses_on_stack, place_of

AGENT = "memfd:frida-agent"
# System calls that a thread may be redirected from: ppoll, poll, read, futex.
WAITS = (271, 7, 0, 202)
# System calls to follow in one thread until it makes one of those.
LOOKS = 1000
SYSCALL = SYSCALL_RET[:2]


def lay_to_rest(pid, rest):
    """rest: address of code that waits for ever. Call on a thread that may trace. Returns how many threads were parked."""
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
            # Only if it stopped right after the call itself, not in the handler of a signal that interrupted it.
            if registers["orig_rax"] in WAITS and image.read(registers["rip"] - 2, 2) == SYSCALL:
                tracee.blocked = QUIET_MASK
                tracee.registers = {**registers, "rip": rest, "orig_rax": NO_CALL}
                return 1
            tracee.wait_for_syscall(STOP_S)
        return 0
    finally:
        tracee.detach()
