"""Write eBPF in typed Python.

This file is the whole public surface: every name below, by the module that has it. Modules are imported when one of
their names is first used, so that `import pybpf` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf import helpers as helpers
    from pybpf import kernel as kernel
    from pybpf import kfuncs as kfuncs
    from pybpf import net as net
    from pybpf.building import Object as Object
    from pybpf.building import build as build
    from pybpf.building import check as check
    from pybpf.compiler.diagnostics.base import CompileError as CompileError
    from pybpf.compiler.schema.errors import DeclarationError as DeclarationError
    from pybpf.compiler.schema.specs import Target as Target
    from pybpf.hooks.btf import fentry as fentry
    from pybpf.hooks.btf import fexit as fexit
    from pybpf.hooks.btf import fmod_ret as fmod_ret
    from pybpf.hooks.btf import fsession as fsession
    from pybpf.hooks.btf import tp_btf as tp_btf
    from pybpf.hooks.cgroups import cgroup as cgroup
    from pybpf.hooks.iterators import bpf_iter as bpf_iter
    from pybpf.hooks.lsm import lsm as lsm
    from pybpf.hooks.packets import action as action
    from pybpf.hooks.packets import classifier as classifier
    from pybpf.hooks.packets import flow_dissector as flow_dissector
    from pybpf.hooks.packets import lirc_mode2 as lirc_mode2
    from pybpf.hooks.packets import lwt as lwt
    from pybpf.hooks.packets import netfilter as netfilter
    from pybpf.hooks.packets import netkit as netkit
    from pybpf.hooks.packets import socket_filter as socket_filter
    from pybpf.hooks.packets import tc as tc
    from pybpf.hooks.packets import tcx as tcx
    from pybpf.hooks.packets import xdp as xdp
    from pybpf.hooks.perf import perf_event as perf_event
    from pybpf.hooks.probes import kprobe as kprobe
    from pybpf.hooks.probes import kretprobe as kretprobe
    from pybpf.hooks.probes import kretsyscall as kretsyscall
    from pybpf.hooks.probes import ksyscall as ksyscall
    from pybpf.hooks.replace import freplace as freplace
    from pybpf.hooks.sockets import sk_lookup as sk_lookup
    from pybpf.hooks.sockets import sk_msg as sk_msg
    from pybpf.hooks.sockets import sk_reuseport as sk_reuseport
    from pybpf.hooks.sockets import sk_skb as sk_skb
    from pybpf.hooks.sockets import sockops as sockops
    from pybpf.hooks.structops import StructOps as StructOps
    from pybpf.hooks.structops import struct_ops as struct_ops
    from pybpf.hooks.syscalls import syscall as syscall
    from pybpf.hooks.tracepoints import raw_tp as raw_tp
    from pybpf.hooks.tracepoints import tracepoint as tracepoint
    from pybpf.hooks.userprobes import uprobe as uprobe
    from pybpf.hooks.userprobes import uretprobe as uretprobe
    from pybpf.hooks.userprobes import usdt as usdt
    from pybpf.loading import load as load
    from pybpf.loading import trace_pipe as trace_pipe
    from pybpf.loading import wait as wait
    from pybpf.program import Program as Program
    from pybpf.runtime.errors import AttachError as AttachError
    from pybpf.runtime.errors import LoadError as LoadError
    from pybpf.runtime.errors import MapFull as MapFull
    from pybpf.runtime.errors import NoBpf as NoBpf
    from pybpf.runtime.errors import NotPermitted as NotPermitted
    from pybpf.runtime.errors import ObjectClosed as ObjectClosed
    from pybpf.runtime.errors import PybpfError as PybpfError
    from pybpf.runtime.errors import VerifierError as VerifierError
    from pybpf.runtime.links.opened import open_link as open_link
    from pybpf.runtime.links.opened import open_program as open_program
    from pybpf.runtime.maps.opened import open_map as open_map
    from pybpf.runtime.proginfo import stats as stats
    from pybpf.runtime.symbols import KernelSymbols as KernelSymbols
    from pybpf.runtime.symbols import UserSymbols as UserSymbols
    from pybpf.simulator import Simulation as Simulation
    from pybpf.stdlib.actions import XDP as XDP
    from pybpf.stdlib.atomics import compare_exchange as compare_exchange
    from pybpf.stdlib.atomics import exchange as exchange
    from pybpf.stdlib.atomics import fetch_add as fetch_add
    from pybpf.stdlib.atomics import fetch_and as fetch_and
    from pybpf.stdlib.atomics import fetch_or as fetch_or
    from pybpf.stdlib.atomics import fetch_xor as fetch_xor
    from pybpf.stdlib.bits import log2 as log2
    from pybpf.stdlib.bits import log2_up as log2_up
    from pybpf.stdlib.bits import rol32 as rol32
    from pybpf.stdlib.builtins import asm as asm
    from pybpf.stdlib.builtins import offsetof as offsetof
    from pybpf.stdlib.builtins import per_cpu as per_cpu
    from pybpf.stdlib.builtins import printk as printk
    from pybpf.stdlib.builtins import releasing as releasing
    from pybpf.stdlib.builtins import sizeof as sizeof
    from pybpf.stdlib.cdecl import cdef as cdef
    from pybpf.stdlib.contexts.cgroups import CgroupSkbContext as CgroupSkbContext
    from pybpf.stdlib.contexts.cgroups import DeviceContext as DeviceContext
    from pybpf.stdlib.contexts.cgroups import GetsockoptContext as GetsockoptContext
    from pybpf.stdlib.contexts.cgroups import PostBind4Context as PostBind4Context
    from pybpf.stdlib.contexts.cgroups import PostBind6Context as PostBind6Context
    from pybpf.stdlib.contexts.cgroups import SendMsg4Context as SendMsg4Context
    from pybpf.stdlib.contexts.cgroups import SendMsg6Context as SendMsg6Context
    from pybpf.stdlib.contexts.cgroups import SetsockoptContext as SetsockoptContext
    from pybpf.stdlib.contexts.cgroups import SockAddr4Context as SockAddr4Context
    from pybpf.stdlib.contexts.cgroups import SockAddr6Context as SockAddr6Context
    from pybpf.stdlib.contexts.cgroups import SockAddrContext as SockAddrContext
    from pybpf.stdlib.contexts.cgroups import SockAddrUnixContext as SockAddrUnixContext
    from pybpf.stdlib.contexts.cgroups import SockContext as SockContext
    from pybpf.stdlib.contexts.cgroups import SysctlContext as SysctlContext
    from pybpf.stdlib.contexts.iterators import BpfLinkIter as BpfLinkIter
    from pybpf.stdlib.contexts.iterators import BpfMapElemIter as BpfMapElemIter
    from pybpf.stdlib.contexts.iterators import BpfMapIter as BpfMapIter
    from pybpf.stdlib.contexts.iterators import BpfProgIter as BpfProgIter
    from pybpf.stdlib.contexts.iterators import CgroupIter as CgroupIter
    from pybpf.stdlib.contexts.iterators import DmabufIter as DmabufIter
    from pybpf.stdlib.contexts.iterators import Ipv6RouteIter as Ipv6RouteIter
    from pybpf.stdlib.contexts.iterators import IterContext as IterContext
    from pybpf.stdlib.contexts.iterators import KmemCacheIter as KmemCacheIter
    from pybpf.stdlib.contexts.iterators import KsymIter as KsymIter
    from pybpf.stdlib.contexts.iterators import NetlinkIter as NetlinkIter
    from pybpf.stdlib.contexts.iterators import SkStorageIter as SkStorageIter
    from pybpf.stdlib.contexts.iterators import SockmapIter as SockmapIter
    from pybpf.stdlib.contexts.iterators import TaskFileIter as TaskFileIter
    from pybpf.stdlib.contexts.iterators import TaskIter as TaskIter
    from pybpf.stdlib.contexts.iterators import TaskVmaIter as TaskVmaIter
    from pybpf.stdlib.contexts.iterators import TcpIter as TcpIter
    from pybpf.stdlib.contexts.iterators import UdpIter as UdpIter
    from pybpf.stdlib.contexts.iterators import UnixIter as UnixIter
    from pybpf.stdlib.contexts.lirc import LircContext as LircContext
    from pybpf.stdlib.contexts.netfilter import NetfilterContext as NetfilterContext
    from pybpf.stdlib.contexts.packets import XdpContext as XdpContext
    from pybpf.stdlib.contexts.packets import XdpDevmapContext as XdpDevmapContext
    from pybpf.stdlib.contexts.skb import FlowDissectorContext as FlowDissectorContext
    from pybpf.stdlib.contexts.skb import FlowKeys as FlowKeys
    from pybpf.stdlib.contexts.skb import LwtContext as LwtContext
    from pybpf.stdlib.contexts.skb import LwtXmitContext as LwtXmitContext
    from pybpf.stdlib.contexts.skb import SkbContext as SkbContext
    from pybpf.stdlib.contexts.skb import SocketFilterContext as SocketFilterContext
    from pybpf.stdlib.contexts.skb import TcContext as TcContext
    from pybpf.stdlib.contexts.sockets import SkLookupContext as SkLookupContext
    from pybpf.stdlib.contexts.sockets import SkMsgContext as SkMsgContext
    from pybpf.stdlib.contexts.sockets import SkReuseportContext as SkReuseportContext
    from pybpf.stdlib.contexts.sockets import SkSkbContext as SkSkbContext
    from pybpf.stdlib.contexts.sockets import SockOpsContext as SockOpsContext
    from pybpf.stdlib.contexts.tracing import PerfEventContext as PerfEventContext
    from pybpf.stdlib.contexts.tracing import PtRegs as PtRegs
    from pybpf.stdlib.contexts.tracing import RawTracepointContext as RawTracepointContext
    from pybpf.stdlib.contexts.tracing import SessionContext as SessionContext
    from pybpf.stdlib.contexts.tracing import TracepointContext as TracepointContext
    from pybpf.stdlib.dynptrs import Dynptr as Dynptr
    from pybpf.stdlib.everyday import cpu as cpu
    from pybpf.stdlib.everyday import current_task as current_task
    from pybpf.stdlib.everyday import gid as gid
    from pybpf.stdlib.everyday import kernel_read as kernel_read
    from pybpf.stdlib.everyday import ktime as ktime
    from pybpf.stdlib.everyday import pid as pid
    from pybpf.stdlib.everyday import random as random
    from pybpf.stdlib.everyday import task as task
    from pybpf.stdlib.everyday import tid as tid
    from pybpf.stdlib.everyday import uid as uid
    from pybpf.stdlib.everyday import user_read as user_read
    from pybpf.stdlib.externs import Tristate as Tristate
    from pybpf.stdlib.externs import kconfig as kconfig
    from pybpf.stdlib.externs import ksym as ksym
    from pybpf.stdlib.facts import container_of as container_of
    from pybpf.stdlib.facts import enum_exists as enum_exists
    from pybpf.stdlib.facts import enum_value as enum_value
    from pybpf.stdlib.facts import exists as exists
    from pybpf.stdlib.facts import field_signed as field_signed
    from pybpf.stdlib.facts import field_size as field_size
    from pybpf.stdlib.facts import type_exists as type_exists
    from pybpf.stdlib.facts import type_id_local as type_id_local
    from pybpf.stdlib.facts import type_id_target as type_id_target
    from pybpf.stdlib.facts import type_matches as type_matches
    from pybpf.stdlib.fills import comm as comm
    from pybpf.stdlib.fills import d_path as d_path
    from pybpf.stdlib.fills import kernel_bytes as kernel_bytes
    from pybpf.stdlib.fills import kernel_stack as kernel_stack
    from pybpf.stdlib.fills import kernel_str as kernel_str
    from pybpf.stdlib.fills import user_bytes as user_bytes
    from pybpf.stdlib.fills import user_stack as user_stack
    from pybpf.stdlib.fills import user_str as user_str
    from pybpf.stdlib.hashes import fnv1a as fnv1a
    from pybpf.stdlib.hashes import jhash as jhash
    from pybpf.stdlib.hashes import jhash2 as jhash2
    from pybpf.stdlib.hashes import jhash_1word as jhash_1word
    from pybpf.stdlib.hashes import jhash_2words as jhash_2words
    from pybpf.stdlib.hashes import jhash_3words as jhash_3words
    from pybpf.stdlib.kernel.classes import Embedded as Embedded
    from pybpf.stdlib.kernel.classes import KernelStruct as KernelStruct
    from pybpf.stdlib.kernel.classes import Pointer as Pointer
    from pybpf.stdlib.kfuncs import kfunc as kfunc
    from pybpf.stdlib.maps import ArrayMap as ArrayMap
    from pybpf.stdlib.maps import HashMap as HashMap
    from pybpf.stdlib.maps import LpmTrie as LpmTrie
    from pybpf.stdlib.maps import LruHash as LruHash
    from pybpf.stdlib.maps import LruPerCpuHash as LruPerCpuHash
    from pybpf.stdlib.maps import PerCpuArray as PerCpuArray
    from pybpf.stdlib.maps import PerCpuHash as PerCpuHash
    from pybpf.stdlib.maps import RingBuffer as RingBuffer
    from pybpf.stdlib.maps.arena import Arena as Arena
    from pybpf.stdlib.maps.cgroups import CgroupArray as CgroupArray
    from pybpf.stdlib.maps.devices import CpuEntry as CpuEntry
    from pybpf.stdlib.maps.devices import CpuMap as CpuMap
    from pybpf.stdlib.maps.devices import DevEntry as DevEntry
    from pybpf.stdlib.maps.devices import DevMap as DevMap
    from pybpf.stdlib.maps.devices import DevMapHash as DevMapHash
    from pybpf.stdlib.maps.devices import XskMap as XskMap
    from pybpf.stdlib.maps.events import PerfEventArray as PerfEventArray
    from pybpf.stdlib.maps.events import UserRingBuffer as UserRingBuffer
    from pybpf.stdlib.maps.nested import ArrayOfMaps as ArrayOfMaps
    from pybpf.stdlib.maps.nested import HashOfMaps as HashOfMaps
    from pybpf.stdlib.maps.queues import BloomFilter as BloomFilter
    from pybpf.stdlib.maps.queues import Queue as Queue
    from pybpf.stdlib.maps.queues import Stack as Stack
    from pybpf.stdlib.maps.sockets import ReusePortSockArray as ReusePortSockArray
    from pybpf.stdlib.maps.sockets import SockHash as SockHash
    from pybpf.stdlib.maps.sockets import SockMap as SockMap
    from pybpf.stdlib.maps.stacks import StackTrace as StackTrace
    from pybpf.stdlib.maps.storages import CgroupStorage as CgroupStorage
    from pybpf.stdlib.maps.storages import CgrpStorage as CgrpStorage
    from pybpf.stdlib.maps.storages import InodeStorage as InodeStorage
    from pybpf.stdlib.maps.storages import PerCpuCgroupStorage as PerCpuCgroupStorage
    from pybpf.stdlib.maps.storages import SkStorage as SkStorage
    from pybpf.stdlib.maps.storages import TaskStorage as TaskStorage
    from pybpf.stdlib.objects import Kptr as Kptr
    from pybpf.stdlib.objects import ListHead as ListHead
    from pybpf.stdlib.objects import ListNode as ListNode
    from pybpf.stdlib.objects import RbNode as RbNode
    from pybpf.stdlib.objects import RbRoot as RbRoot
    from pybpf.stdlib.objects import RefCount as RefCount
    from pybpf.stdlib.objects import UntrustedKptr as UntrustedKptr
    from pybpf.stdlib.objects import obj_drop as obj_drop
    from pybpf.stdlib.objects import obj_new as obj_new
    from pybpf.stdlib.objects import refcount_acquire as refcount_acquire
    from pybpf.stdlib.process import ancestor_cgroup_id as ancestor_cgroup_id
    from pybpf.stdlib.process import cgroup_id as cgroup_id
    from pybpf.stdlib.process import jiffies as jiffies
    from pybpf.stdlib.process import ktime_boot as ktime_boot
    from pybpf.stdlib.process import ktime_tai as ktime_tai
    from pybpf.stdlib.process import mount_ns as mount_ns
    from pybpf.stdlib.process import net_ns as net_ns
    from pybpf.stdlib.process import ns_pid as ns_pid
    from pybpf.stdlib.process import ns_tid as ns_tid
    from pybpf.stdlib.process import numa_node as numa_node
    from pybpf.stdlib.process import pid_ns as pid_ns
    from pybpf.stdlib.process import read_argv as read_argv
    from pybpf.stdlib.process import read_path as read_path
    from pybpf.stdlib.progarray import ProgArray as ProgArray
    from pybpf.stdlib.routeactions import FLOW as FLOW
    from pybpf.stdlib.routeactions import LWT as LWT
    from pybpf.stdlib.routeactions import LWT_SEG6LOCAL as LWT_SEG6LOCAL
    from pybpf.stdlib.routeactions import LWT_XMIT as LWT_XMIT
    from pybpf.stdlib.routeactions import NETFILTER as NETFILTER
    from pybpf.stdlib.sockactions import SK as SK
    from pybpf.stdlib.sockactions import CgroupBind as CgroupBind
    from pybpf.stdlib.sockactions import CgroupEgress as CgroupEgress
    from pybpf.stdlib.sockops import SockOp as SockOp
    from pybpf.stdlib.sockops import SockOpsFlag as SockOpsFlag
    from pybpf.stdlib.sockops import TcpState as TcpState
    from pybpf.stdlib.struct import Struct as Struct
    from pybpf.stdlib.subprog import subprog as subprog
    from pybpf.stdlib.summaries.counters import Counter as Counter
    from pybpf.stdlib.summaries.histograms import Histogram as Histogram
    from pybpf.stdlib.summaries.histograms import HistogramBy as HistogramBy
    from pybpf.stdlib.summaries.histograms import LinearHistogram as LinearHistogram
    from pybpf.stdlib.summaries.limits import RateLimit as RateLimit
    from pybpf.stdlib.summaries.limits import RateLimitBy as RateLimitBy
    from pybpf.stdlib.summaries.limits import one_in as one_in
    from pybpf.stdlib.summaries.stats import Stats as Stats
    from pybpf.stdlib.summaries.stats import StatsBy as StatsBy
    from pybpf.stdlib.sync import SpinLock as SpinLock
    from pybpf.stdlib.sync import Timer as Timer
    from pybpf.stdlib.sync import lock as lock
    from pybpf.stdlib.tcactions import NETKIT as NETKIT
    from pybpf.stdlib.tcactions import TC as TC
    from pybpf.stdlib.tcactions import TCX as TCX
    from pybpf.stdlib.types import Array as Array
    from pybpf.stdlib.types import Bits as Bits
    from pybpf.stdlib.types import Bytes as Bytes
    from pybpf.stdlib.types import L as L
    from pybpf.stdlib.types import Ptr as Ptr
    from pybpf.stdlib.types import Text as Text
    from pybpf.stdlib.types import be16 as be16
    from pybpf.stdlib.types import be32 as be32
    from pybpf.stdlib.types import be64 as be64
    from pybpf.stdlib.types import i8 as i8
    from pybpf.stdlib.types import i16 as i16
    from pybpf.stdlib.types import i32 as i32
    from pybpf.stdlib.types import i64 as i64
    from pybpf.stdlib.types import u8 as u8
    from pybpf.stdlib.types import u16 as u16
    from pybpf.stdlib.types import u32 as u32
    from pybpf.stdlib.types import u64 as u64
    from pybpf.stdlib.union import Union as Union
    from pybpf.stdlib.usdt import UsdtContext as UsdtContext
    from pybpf.stdlib.variables import const as const
    from pybpf.stdlib.variables import var as var

__version__ = "0.1.0"

_SURFACE = {
    "building": "Object build check",
    "compiler.diagnostics.base": "CompileError",
    "compiler.schema.errors": "DeclarationError",
    "compiler.schema.specs": "Target",
    "hooks.btf": "fentry fexit fmod_ret fsession tp_btf",
    "hooks.cgroups": "cgroup",
    "hooks.iterators": "bpf_iter",
    "hooks.lsm": "lsm",
    "hooks.replace": "freplace",
    "hooks.sockets": "sk_lookup sk_msg sk_reuseport sk_skb sockops",
    "hooks.packets": "action classifier flow_dissector lirc_mode2 lwt netfilter netkit socket_filter tc tcx xdp",
    "hooks.perf": "perf_event",
    "hooks.probes": "kprobe kretprobe kretsyscall ksyscall",
    "hooks.userprobes": "uprobe uretprobe usdt",
    "hooks.structops": "StructOps struct_ops",
    "hooks.syscalls": "syscall",
    "hooks.tracepoints": "raw_tp tracepoint",
    "loading": "load trace_pipe wait",
    "program": "Program",
    "runtime.errors": "AttachError LoadError MapFull NoBpf NotPermitted ObjectClosed PybpfError VerifierError",
    "runtime.maps.opened": "open_map",
    "runtime.links.opened": "open_link open_program",
    "runtime.proginfo": "stats",
    "runtime.symbols": "KernelSymbols UserSymbols",
    "simulator": "Simulation",
    "stdlib.actions": "XDP",
    "stdlib.routeactions": "FLOW LWT LWT_SEG6LOCAL LWT_XMIT NETFILTER",
    "stdlib.tcactions": "NETKIT TC TCX",
    "stdlib.atomics": "compare_exchange exchange fetch_add fetch_and fetch_or fetch_xor",
    "stdlib.builtins": "asm offsetof per_cpu printk releasing sizeof",
    "stdlib.cdecl": "cdef",
    "stdlib.contexts.cgroups": "CgroupSkbContext DeviceContext GetsockoptContext PostBind4Context PostBind6Context "
    "SendMsg4Context SendMsg6Context SetsockoptContext SockAddr4Context SockAddr6Context SockAddrContext "
    "SockAddrUnixContext SockContext SysctlContext",
    "stdlib.contexts.lirc": "LircContext",
    "stdlib.contexts.netfilter": "NetfilterContext",
    "stdlib.contexts.iterators": "BpfLinkIter BpfMapElemIter BpfMapIter BpfProgIter CgroupIter DmabufIter "
    "Ipv6RouteIter IterContext KmemCacheIter KsymIter NetlinkIter SkStorageIter "
    "SockmapIter TaskFileIter TaskIter TaskVmaIter TcpIter UdpIter UnixIter",
    "stdlib.contexts.packets": "XdpContext XdpDevmapContext",
    "stdlib.contexts.skb": "FlowDissectorContext FlowKeys LwtContext LwtXmitContext SkbContext SocketFilterContext "
    "TcContext",
    "stdlib.contexts.sockets": "SkLookupContext SkMsgContext SkReuseportContext SkSkbContext SockOpsContext",
    "stdlib.contexts.tracing": "PerfEventContext PtRegs RawTracepointContext SessionContext TracepointContext",
    "stdlib.dynptrs": "Dynptr",
    "stdlib.everyday": "cpu current_task gid kernel_read ktime pid random task tid uid user_read",
    "stdlib.facts": "container_of enum_exists enum_value exists field_signed field_size type_exists type_id_local "
    "type_id_target type_matches",
    "stdlib.externs": "Tristate kconfig ksym",
    "stdlib.fills": "comm d_path kernel_bytes kernel_stack kernel_str user_bytes user_stack user_str",
    "stdlib.kernel.classes": "Embedded KernelStruct Pointer",
    "stdlib.kfuncs": "kfunc",
    "stdlib.maps": "ArrayMap HashMap LpmTrie LruHash LruPerCpuHash PerCpuArray PerCpuHash RingBuffer",
    "stdlib.maps.devices": "CpuEntry CpuMap DevEntry DevMap DevMapHash XskMap",
    "stdlib.maps.arena": "Arena",
    "stdlib.maps.cgroups": "CgroupArray",
    "stdlib.maps.nested": "ArrayOfMaps HashOfMaps",
    "stdlib.maps.queues": "BloomFilter Queue Stack",
    "stdlib.maps.sockets": "ReusePortSockArray SockHash SockMap",
    "stdlib.maps.events": "PerfEventArray UserRingBuffer",
    "stdlib.maps.stacks": "StackTrace",
    "stdlib.maps.storages": "CgroupStorage CgrpStorage InodeStorage PerCpuCgroupStorage SkStorage TaskStorage",
    "stdlib.progarray": "ProgArray",
    "stdlib.sockactions": "SK CgroupBind CgroupEgress",
    "stdlib.sockops": "SockOp SockOpsFlag TcpState",
    "stdlib.bits": "log2 log2_up rol32",
    "stdlib.hashes": "fnv1a jhash jhash2 jhash_1word jhash_2words jhash_3words",
    "stdlib.process": "ancestor_cgroup_id cgroup_id jiffies ktime_boot ktime_tai mount_ns net_ns "
    "ns_pid ns_tid numa_node pid_ns read_argv read_path",
    "stdlib.summaries.counters": "Counter",
    "stdlib.summaries.histograms": "Histogram HistogramBy LinearHistogram",
    "stdlib.summaries.limits": "RateLimit RateLimitBy one_in",
    "stdlib.summaries.stats": "Stats StatsBy",
    "stdlib.struct": "Struct",
    "stdlib.subprog": "subprog",
    "stdlib.objects": "Kptr ListHead ListNode RbNode RbRoot RefCount UntrustedKptr obj_drop obj_new refcount_acquire",
    "stdlib.sync": "SpinLock Timer lock",
    "stdlib.types": "Array Bits Bytes L Ptr Text be16 be32 be64 i8 i16 i32 i64 u8 u16 u32 u64",
    "stdlib.union": "Union",
    "stdlib.usdt": "UsdtContext",
    "stdlib.variables": "const var",
}
_HOME = {name: module for module, names in _SURFACE.items() for name in names.split()}

__all__ = [
    "action", "ancestor_cgroup_id", "Arena", "Array", "ArrayMap", "ArrayOfMaps", "asm", "AttachError", "be16", "be32",
    "be64", "Bits", "BloomFilter", "bpf_iter", "BpfLinkIter", "BpfMapElemIter", "BpfMapIter", "BpfProgIter", "build",
    "Bytes", "cdef", "cgroup", "cgroup_id", "CgroupArray", "CgroupBind", "CgroupEgress", "CgroupIter",
    "CgroupSkbContext", "CgroupStorage", "CgrpStorage", "check", "classifier", "comm", "compare_exchange",
    "CompileError", "const", "container_of", "Counter", "cpu", "CpuEntry", "CpuMap", "current_task", "d_path",
    "DeclarationError", "DevEntry", "DeviceContext", "DevMap", "DevMapHash", "DmabufIter", "Dynptr", "Embedded",
    "enum_exists", "enum_value", "exchange", "exists", "fentry", "fetch_add", "fetch_and", "fetch_or", "fetch_xor",
    "fexit", "field_signed", "field_size", "FLOW", "flow_dissector", "FlowDissectorContext", "FlowKeys", "fmod_ret",
    "fnv1a", "freplace", "fsession", "GetsockoptContext", "gid", "HashMap", "HashOfMaps", "helpers", "Histogram",
    "HistogramBy", "i16", "i32", "i64", "i8", "InodeStorage", "Ipv6RouteIter", "IterContext", "jhash", "jhash2",
    "jhash_1word", "jhash_2words", "jhash_3words", "jiffies", "kconfig", "kernel", "kernel_bytes", "kernel_read",
    "kernel_stack", "kernel_str", "KernelStruct", "KernelSymbols", "kfunc", "kfuncs", "KmemCacheIter", "kprobe", "Kptr",
    "kretprobe", "kretsyscall", "ksym", "KsymIter", "ksyscall", "ktime", "ktime_boot", "ktime_tai", "L",
    "LinearHistogram", "lirc_mode2", "LircContext", "ListHead", "ListNode", "load", "LoadError", "lock", "log2",
    "log2_up", "LpmTrie", "LruHash", "LruPerCpuHash", "lsm", "LWT", "lwt", "LWT_SEG6LOCAL", "LWT_XMIT", "LwtContext",
    "LwtXmitContext", "MapFull", "mount_ns", "net", "net_ns", "NETFILTER", "netfilter", "NetfilterContext", "NETKIT",
    "netkit", "NetlinkIter", "NoBpf", "NotPermitted", "ns_pid", "ns_tid", "numa_node", "obj_drop", "obj_new",
    "Object", "ObjectClosed", "offsetof", "one_in", "open_link", "open_map", "open_program", "per_cpu", "PerCpuArray",
    "PerCpuCgroupStorage", "PerCpuHash", "perf_event", "PerfEventArray", "PerfEventContext", "pid", "pid_ns", "Pointer",
    "PostBind4Context",
    "PostBind6Context", "printk", "ProgArray", "Program", "Ptr", "PtRegs", "PybpfError", "Queue", "random", "RateLimit",
    "RateLimitBy", "raw_tp", "RawTracepointContext", "RbNode", "RbRoot", "read_argv", "read_path", "RefCount",
    "refcount_acquire", "releasing", "ReusePortSockArray", "RingBuffer", "rol32", "SendMsg4Context", "SendMsg6Context",
    "SessionContext", "SetsockoptContext", "Simulation", "sizeof", "SK", "sk_lookup", "sk_msg", "sk_reuseport",
    "sk_skb", "SkbContext", "SkLookupContext", "SkMsgContext", "SkReuseportContext", "SkSkbContext", "SkStorage",
    "SkStorageIter", "SockAddr4Context", "SockAddr6Context", "SockAddrContext", "SockAddrUnixContext", "SockContext",
    "socket_filter", "SocketFilterContext", "SockHash", "SockMap", "SockmapIter", "SockOp", "sockops", "SockOpsContext",
    "SockOpsFlag", "SpinLock", "Stack", "StackTrace", "Stats", "stats", "StatsBy", "Struct", "struct_ops", "StructOps",
    "subprog", "syscall", "SysctlContext", "Target", "task", "TaskFileIter", "TaskIter", "TaskStorage", "TaskVmaIter",
    "TC", "tc", "TcContext", "TcpIter", "TcpState", "TCX", "tcx", "Text", "tid", "Timer", "tp_btf", "trace_pipe",
    "tracepoint", "TracepointContext", "Tristate", "type_exists", "type_id_local", "type_id_target", "type_matches",
    "u16", "u32", "u64", "u8", "UdpIter", "uid", "Union", "UnixIter", "UntrustedKptr", "uprobe", "uretprobe", "usdt",
    "UsdtContext", "user_bytes", "user_read", "user_stack", "user_str", "UserRingBuffer", "UserSymbols", "var",
    "VerifierError", "wait", "XDP", "xdp", "XdpContext", "XdpDevmapContext", "XskMap",
]  # fmt: skip


if not TYPE_CHECKING:

    def __getattr__(name):
        # Not importlib.import_module: that imports a package, and warnings with it.
        if name in ("helpers", "kernel", "kfuncs", "net"):
            return __import__(f"pybpf.{name}", fromlist=("*",))
        module = _HOME.get(name)
        if module is None:
            raise AttributeError(f"module 'pybpf' has no attribute {name!r}")
        found = globals()[name] = getattr(__import__(f"pybpf.{module}", fromlist=(name,)), name)
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
