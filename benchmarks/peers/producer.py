"""Queues as many tasks as a line on stdin says, and answers when it began: `producer.py MODULE FILE`."""

import importlib
import sys
import time

if __name__ == "__main__":
    submit = importlib.import_module(sys.argv[1]).submit
    for line in sys.stdin:
        begun = time.perf_counter()
        for _ in range(int(line)):
            submit(sys.argv[2])
        print(begun, flush=True)
