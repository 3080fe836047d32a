"""`python -m gpugen_worker`: the same as `gpugen worker`."""

from gpugen_worker.command import worker

if __name__ == "__main__":
    worker(prog_name="gpugen worker")
