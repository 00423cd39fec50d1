"""Runs the pickle machine over a payload, and translates what goes wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertUndecodable, InertUnreadable
from cachecheck.inert.limits import SLICE_OPERATIONS
from cachecheck.inert.machine import Machine
from cachecheck.inert.steps import STEPS

if TYPE_CHECKING:
    from cachecheck.inert.limits import Meter
    from cachecheck.inert.nodes import Value

STOP: Final = ord(".")


def read(payload: bytes, meter: Meter) -> tuple[Value, int]:
    """Give what the pickle holds, and the protocol that it declares.

    Raises InertUnreadable and InertTooLarge.
    """
    machine = Machine(payload, meter)
    try:
        _run(machine)
        return _result(machine), machine.protocol
    except IndexError as exc:
        raise InertUndecodable("cut short, or more taken than was there") from exc
    except KeyError as exc:
        raise InertUndecodable("a reference to what was never stored") from exc
    except UnicodeError as exc:
        raise InertUndecodable("text that is not in its encoding") from exc


def _run(machine: Machine) -> None:
    payload, spend = machine.payload, machine.meter.spend
    while True:
        for done in range(SLICE_OPERATIONS):
            code = payload[machine.at]
            machine.at += 1
            if code == STOP:
                spend(done)
                return
            STEPS[code](machine)
        spend(SLICE_OPERATIONS)


def _result(machine: Machine) -> Value:
    value = machine.stack.pop()
    if machine.stack or machine.marked:
        raise InertUnreadable("values left over at its end")
    if machine.at != len(machine.payload):
        raise InertUnreadable("bytes after its end")
    return value
