"""A provider whose machines do what a test says."""

from gpugen_server.autoscale.machine import Sighting
from gpugen_server.autoscale.provider import Choice, ProviderAway, Rhythm, StartRefused


class Pretended:
    """Machines by name; `shown` is what the provider shows of them."""

    name = "pretended"
    place = "this machine"
    rhythm = Rhythm(least=0.0, short=0.01, usual=0.01, none=0.01)

    def __init__(self, hourly=0.0):
        self.hourly = hourly
        self.models = ()
        self.failure = None
        self.refusals = []  # the next starts are refused so
        self.away = False
        self.started = []
        self.stopped = []
        self.removed = []
        self.closed = 0
        self.tokens = {}
        self.shown = {}

    def obstacle(self):
        return self.failure

    async def choose(self, now):
        return Choice(place="", text=self.place, hourly=self.hourly)

    async def start(self, machine, token):
        if self.refusals:
            raise StartRefused(self.refusals.pop(0))
        self.started.append(machine.name)
        self.tokens[machine.name] = token
        self.shown[machine.name] = Sighting(state="starting")
        return ""

    async def stop(self, machine):
        self.stopped.append(machine.name)

    async def remove(self, name):
        self.removed.append(name)

    async def observe(self, machines):
        if self.away:
            raise ProviderAway("The provider does not answer.")
        return dict(self.shown)

    async def close(self):
        self.closed += 1

    def end(self, text="it crashed", failed=True):
        """The machine started last has ended."""
        self.shown[self.started[-1]] = Sighting(state="ended", text=text, failed=failed)
