"""The program that decodes images nobody can trust: no secrets, no files, little memory and time.

It reads jobs from its standard input and ends with it, so it never outlives the server; a job under way is
ended by its own alarm. Only here is Pillow imported.
"""

from __future__ import annotations

import select
import signal
import sys
from typing import IO

import msgspec

from gpugen_protocol.errors import InvalidImage, describe
from gpugen_server.images import codec
from gpugen_server.images.decoding import Answer, Clean, Encode, Job, receive, send

MEMORY = 768 * 2**20  # bytes of address space; the largest image takes some 150 MB
CPU_SECONDS = 20  # of one job; a minute of work at the very most before the kernel says no
LIFE_SECONDS = 3600  # of processor time, however many jobs: then the server starts another one
IDLE_SECONDS = 120.0  # without work until it ends, for memory's sake
LARGEST_JOB = codec.max_upload(codec.LONGEST, codec.LONGEST) + 2**20


def main(arguments: list[str]) -> None:
    """Answer jobs until there is no server or nothing to do; `arguments` is how long one may take."""
    seconds = float(arguments[0])
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints must not come between the answers
    _confine()
    while _comes(jobs):
        job = receive(jobs, Job, LARGEST_JOB)
        if job is None:
            return
        _answer(job, answers, seconds)


def _answer(job: Job, answers: IO[bytes], seconds: float) -> None:
    _allow(seconds)
    send(answers, _work(job))
    _allow(0)


def _work(job: Job) -> Answer:
    try:
        return Answer(result=msgspec.msgpack.encode(_result(job)))
    except InvalidImage as error:
        return Answer(refusal=error.message)
    except MemoryError:
        return Answer(refusal="The image takes too much memory to decode.")
    except Exception as error:  # Pillow met something that nobody foresaw; the next image may be good
        return Answer(refusal=f"The image cannot be decoded: {describe(error)[:200]}.")


def _result(job: Job) -> codec.Encoded | codec.Cleaned | bytes:
    match job:
        case Encode(data, recipe):
            return codec.encode(data, recipe)
        case Clean(data, longest):
            return codec.clean(data, longest)
        case _:
            return codec.thumbnail(job.data, job.side)


def _confine() -> None:
    """No large memory, no files written, no core dumps, and the default way to die of a signal."""
    if sys.platform == "win32":  # which has no such limits
        return
    import resource

    for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the server, which ends us
    if sys.platform == "linux":  # elsewhere address space is not what it takes
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFE_SECONDS, LIFE_SECONDS))


def _comes(jobs: IO[bytes]) -> bool:
    """Wait for a job; False when none has come for long."""
    return sys.platform == "win32" or bool(select.select([jobs], [], [], IDLE_SECONDS)[0])


def _allow(seconds: float) -> None:
    """From now on, `seconds` by the clock on the wall (0: any number), and CPU_SECONDS of the processor."""
    if sys.platform == "win32":
        return
    import resource

    signal.setitimer(signal.ITIMER_REAL, seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = min(int(used.ru_utime + used.ru_stime) + CPU_SECONDS, LIFE_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, LIFE_SECONDS))


if __name__ == "__main__":
    main(sys.argv[1:])
