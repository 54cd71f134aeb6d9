"""Attaching by netlink: filters and actions of traffic control, and routes, by pyroute2.

The kernel keeps these until they are taken away: that happens when the link or its object is closed, and when Python
ends by itself or by an exception. After SIGKILL the guardian does it (guardian.py).
"""

from __future__ import annotations

import atexit
import errno
import os
import weakref
from typing import TYPE_CHECKING, Any

from pybpf.runtime.errors import AttachError, PybpfError
from pybpf.runtime.links import guard, guardian
from pybpf.runtime.links.base import Link, refused
from pybpf.runtime.links.namespaces import inside, interface_index, open_network, spelled
from pybpf.runtime.links.network import attach_tcx, check_interface
from pybpf.runtime.links.rtnetlink import clsact_entry, filter_entry, route_entry, route_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_action", "attach_lwt", "attach_tc", "attach_tc_or_tcx"]

_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
_LAST_PRIORITY = 0xC000  # where the kernel begins when it chooses: net/sched/cls_api.c, tcf_auto_prio()


class _Discipline:
    """A queueing discipline that was made here: it goes with its last filter, whoever's. The guardian knows of it while
    it has filters of ours.
    """

    def __init__(self, forget: Callable[[], None]) -> None:
        self.forget = forget
        self.filters = 0


_made: dict[tuple[int, int, int], _Discipline] = {}  # by namespace and interface
_attached: weakref.WeakSet[Link] = weakref.WeakSet()


@atexit.register
def _detach_all() -> None:
    for link in list(_attached):
        try:
            link.detach()
        except (OSError, PybpfError):
            continue


def _pyroute2() -> Any:
    try:
        import pyroute2  # type: ignore[import-untyped]
    except ImportError:
        raise AttachError(
            "attaching by netlink needs pyroute2, which is not installed", 'pip install "pybpf[network]"'
        ) from None
    return pyroute2


class _Place:
    """A network namespace in which something was attached, for as long as it is."""

    def __init__(self, netns: Any) -> None:
        _pyroute2()
        self.netns = netns
        self.space = open_network(netns)
        status = os.fstat(self.space)
        self.id = status.st_dev, status.st_ino

    def run(self, work: Callable[[Any], Any]) -> Any:
        """What `work` gives, called in the namespace with a netlink socket."""

        def connected() -> Any:
            with _pyroute2().IPRoute() as socket:
                try:
                    return work(socket)
                except _pyroute2().NetlinkError as error:
                    raise OSError(error.code, error.args[1] if error.args[1:] else os.strerror(error.code)) from None

        return inside(self.space, connected)

    def at(self, index: int) -> tuple[int, int, int]:
        """What an interface is known by."""
        return *self.id, index

    def close(self) -> None:
        os.close(self.space)


def _forked() -> None:
    """In a child: what is attached is the parent's."""
    _made.clear()
    _attached.clear()


os.register_at_fork(after_in_child=_forked)


def _link(program: LoadedProgram, kind: str, target: str, place: _Place, undo: Callable[[], None]) -> Link:
    maker = os.getpid()

    def close() -> None:
        try:
            if os.getpid() == maker:
                inside(place.space, undo)
        except OSError as error:
            # what is gone already: the filter or route, the interface, the namespace's last interface
            if error.errno not in (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EINVAL):
                raise
        finally:
            place.close()

    link = Link(program, kind, target, -1, close)
    _attached.add(link)
    return link


# --- traffic control


def attach_tc_or_tcx(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """Sections tc/ingress and tc/egress: a TCX link, or where the kernel has none (before 6.6) a filter."""
    options = {**options, "direction": section.partition("/")[2]}
    if "priority" in options or "handle" in options or "replace" in options:
        return attach_tc(program, section, options)
    try:
        return attach_tcx(program, section, {name: options[name] for name in ("target", "netns") if name in options})
    except AttachError as error:
        if "EINVAL" not in error.message:
            raise
    return attach_tc(program, section, options)


def attach_tc(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A filter of the clsact queueing discipline, which decides by itself (direct action)."""

    def add(socket: Any, index: int, parent: int, priority: int, handle: int, command: str) -> None:
        socket.tc(
            command, "bpf", index, handle, parent=parent, prio=priority, fd=program.fd, name=program.name,
            direct_action=True,
        )  # fmt: skip

    return _attach_filter(program, "bpf", options, add)


def attach_action(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """The action of a filter that matches all packets; `otherwise` is what becomes of those that it leaves (UNSPEC)."""
    otherwise = options.get("otherwise", "ok")

    def add(socket: Any, index: int, parent: int, priority: int, handle: int, command: str) -> None:
        action = {"kind": "bpf", "fd": program.fd, "name": program.name, "action": otherwise}
        socket.tc(command, "matchall", index, handle, parent=parent, prio=priority, action=action)

    return _attach_filter(program, "matchall", options, add)


def _attach_filter(
    program: LoadedProgram, kind: str, options: dict[str, Any], add: Callable[[Any, int, int, int, int, str], None]
) -> Link:
    target, netns, direction = options.get("target"), options.get("netns"), options.get("direction", "ingress")
    check_interface(program, target)
    if direction not in _PARENTS:
        raise AttachError(f"attaching {program.name!r}: no direction {direction!r}", 'use "ingress" or "egress"')
    priority, handle = options.get("priority") or 0, options.get("handle") or 1
    _check_number(program, "priority", priority, 0xFFFF)
    _check_number(program, "handle", handle, 0xFFFFFFFF)
    command = "replace-filter" if options.get("replace") else "add-filter"
    parent = _PARENTS[direction]
    where = spelled(f"interface {target}, {direction}", netns)
    place = _Place(netns)
    index, number = 0, program.info().id
    entry: dict[str, Any] = {}
    forget: Callable[[], None]

    def attach(socket: Any) -> int:
        nonlocal index, entry, forget
        index = interface_index(target, netns)
        _add_clsact(socket, place, index)
        if place.at(index) in _made:
            _made[place.at(index)].filters += 1
        chosen = priority or _free_priority(socket, index, parent)
        entry = filter_entry(kind, index, parent, chosen, handle, number)
        forget = guardian.watch(entry, place.space)
        try:
            add(socket, index, parent, chosen, handle, command)
        except BaseException:
            forget()
            _drop_clsact(place, index)
            raise
        return chosen

    def undo() -> None:
        try:
            guard.undo(entry)
        finally:
            forget()
            _drop_clsact(place, index)

    helps = {
        errno.EEXIST: f"there is a filter of priority {priority} and handle {handle} already: "
        "choose others, or replace=True",
        errno.ENOENT: f"this kernel has no {'cls_bpf' if kind == 'bpf' else 'cls_matchall, or no act_bpf'}",
        errno.EOPNOTSUPP: "the interface takes no such filter, or this kernel lacks CONFIG_NET_SCH_INGRESS",
    }
    try:
        chosen: int = place.run(attach)
    except OSError as error:
        place.close()
        refused(program, where, error, helps.get(error.errno or 0, ""))
    except BaseException:
        place.close()
        raise
    return _link(program, program.section.lstrip("?"), f"{target} {direction} priority {chosen}", place, undo)


def _check_number(program: LoadedProgram, what: str, given: Any, most: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
        raise AttachError(f"attaching {program.name!r}: no {what} {given!r}", f"a number from 1 to {most}")


def _add_clsact(socket: Any, place: _Place, index: int) -> None:
    """Give the interface its clsact queueing discipline, where it has none."""
    for found in socket.get_qdiscs(index=index):
        if found.get_attr("TCA_KIND") == "clsact":
            return
    forget = guardian.watch(clsact_entry(index, list(_PARENTS.values())), place.space)
    try:
        socket.tc("add", "clsact", index)
    except BaseException as error:
        forget()
        if isinstance(error, _pyroute2().NetlinkError) and getattr(error, "code", 0) == errno.EEXIST:
            return  # it has one by now
        raise
    _made[place.at(index)] = _Discipline(forget)


def _drop_clsact(place: _Place, index: int) -> None:
    """A filter of ours is gone: so is the discipline, if it was made here and has no filter any more, whoever's."""
    made = _made.get(place.at(index))
    if made is None:
        return
    made.filters -= 1
    try:
        gone = guard.undo(clsact_entry(index, list(_PARENTS.values())))
    except OSError:  # somebody else took it away, or the interface
        gone = True
    if gone:
        del _made[place.at(index)]
    if gone or made.filters <= 0:
        made.forget()


def _filters(socket: Any, index: int, parent: int) -> list[Any]:
    return list(socket.get_filters(index=index, parent=parent))


def _free_priority(socket: Any, index: int, parent: int) -> int:
    """One below the lowest that is taken, as the kernel chooses: the newest filter is the first."""
    taken = [found["info"] >> 16 for found in _filters(socket, index, parent)]
    return min(taken, default=_LAST_PRIORITY + 1) - 1 or 1


# --- routes


def attach_lwt(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    """A new route, whose packets the program sees: ip route add TARGET encap bpf ... dev DEV."""
    target, netns, device = options.get("target"), options.get("netns"), options.get("dev")
    if not target or not device:
        raise AttachError(
            f"attaching {program.name!r}: to which route?",
            f'say where it goes: obj.attach({program.name}={{"target": "10.1.0.0/24", "dev": "eth0"}})',
        )
    number = program.info().id
    given = {"fd": program.fd, "name": route_name(program.name, number)}
    place_in_route = section.removeprefix("lwt_")
    if place_in_route == "seg6local":
        encap: dict[str, Any] = {"type": "seg6local", "action": "End.BPF", "bpf": given}
    else:
        encap = {"type": "bpf", place_in_route: given}
        if options.get("headroom"):
            encap[place_in_route] = {**given, "headroom": options["headroom"]}
    route: dict[str, Any] = {"dst": str(target), "encap": encap}
    route |= {name: options[name] for name in ("table", "priority") if options.get(name)}
    if options.get("via"):
        route["gateway"] = str(options["via"])
    where = spelled(f"route {target}", netns)
    place = _Place(netns)

    entry: dict[str, Any] = {}
    forget: Callable[[], None]

    def attach(socket: Any) -> None:
        nonlocal entry, forget
        route["oif"] = interface_index(device, netns)
        table, priority = (int(options.get(name) or 0) for name in ("table", "priority"))
        via = str(options.get("via") or "")
        entry = route_entry(place_in_route, str(target), route["oif"], via, table, priority, program.name, number)
        forget = guardian.watch(entry, place.space)
        try:
            socket.route("add", **route)
        except BaseException:
            forget()
            raise

    def undo() -> None:
        try:
            guard.undo(entry)
        finally:
            forget()

    helps = {
        errno.EEXIST: "there is such a route already: delete it, or choose another table or priority",
        errno.ENETDOWN: f"interface {device} is down",
        errno.EOPNOTSUPP: "this kernel has no such routes: CONFIG_LWTUNNEL_BPF, CONFIG_IPV6_SEG6_BPF",
        errno.EINVAL: "the route or its interface is not as the kernel wants it: is it up, and has it an address?",
    }
    try:
        place.run(attach)
    except OSError as error:
        place.close()
        refused(program, where, error, helps.get(error.errno or 0, ""))
    except BaseException:
        place.close()
        raise
    return _link(program, section, str(target), place, undo)
