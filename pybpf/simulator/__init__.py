"""Running programs in plain Python, over maps in memory: unit tests without root, debugging with pdb.

    result = count.simulate(packet=bytes(60))
    assert result.retval == XDP.PASS and result[packets][0] == 1

    with Simulation(pid=7, comm="cat") as sim:          # several runs of several programs on the same maps
        enter.simulate(filename=sim.user.put("/etc/passwd"))
        leave.simulate(ret=3)
        assert sim[opens][0].path == "/etc/passwd"

simulation.py    the simulated machine: who runs, the clock, memory, maps, globals
translator.py    the typed tree as Python code with the user's line numbers; expressions.py and statements.py walk it
memory.py        places: structs, texts and numbers in memory; user and kernel addresses
tables.py        maps as programs see them; views.py: as the test sees them
helpers.py       kernel helpers; context.py: contexts from field names; printf.py: formats; numbers.py: arithmetic
seam.py          declarations used inside `with sim:`
"""

from __future__ import annotations

from typing import Any

from pybpf.simulator.errors import SimulationError
from pybpf.simulator.simulation import Outcome, Simulation

__all__ = ["Outcome", "Simulation", "SimulationError", "simulate"]


def simulate(program: Any, packet: bytes | None = None, *, context: bytes | None = None, **values: Any) -> Outcome:
    """Run a program once: in the simulation that is active, or in a fresh one, which the outcome holds.

    `packet` are the bytes it is given, `context` those of its context; `values` are fields of the context, or
    arguments, by name.
    """
    from pybpf.simulator.seam import Seam
    from pybpf.stdlib.simulation import active

    runtime = active()
    simulation = runtime.simulation if isinstance(runtime, Seam) else Simulation()
    return simulation.run(program, packet, context=context, **values)
