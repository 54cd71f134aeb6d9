import json
import os
import random
import time

from pybpf import TracepointContext, tracepoint


class Counter:
    def __init__(self) -> None:
        self.count = 0


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    now = time.time()
    me = os.getpid()
    chance = random.random()
    text = json.dumps(1)
    counter = Counter()
