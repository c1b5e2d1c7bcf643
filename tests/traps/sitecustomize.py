"""Loaded by every Python of a trapped synth: no network, and the clock stands at TRAP_CLOCK."""

import ctypes
import datetime
import gc
import os
import sys
import time
from typing import Any

NOW = int(os.environ["TRAP_CLOCK"])
NETWORK = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
    "socket.sendmsg",
    "socket.sendto",
}


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK:
        # Written as well as raised: whoever swallows the error still leaves a trace.
        os.write(2, f"network attempt: {event} {arguments}\n".encode())
        raise OSError("the network is trapped")


def freeze() -> None:
    localtime, gmtime, strftime = time.localtime, time.gmtime, time.strftime
    ctime, asctime = time.ctime, time.asctime
    of_time: dict[str, Any] = {
        "time": lambda: float(NOW),
        "time_ns": lambda: NOW * 10**9,
        "localtime": lambda seconds=None: localtime(NOW if seconds is None else seconds),
        "gmtime": lambda seconds=None: gmtime(NOW if seconds is None else seconds),
        "ctime": lambda seconds=None: ctime(NOW if seconds is None else seconds),
        "asctime": lambda moment=None: asctime(moment or localtime(NOW)),
        "strftime": lambda form, moment=None: strftime(form, moment or localtime(NOW)),
    }
    for name, function in of_time.items():
        setattr(time, name, function)
    # In the class itself, which Python holds immutable: pandas' C code extends it, and crashes
    # with a class in its place. Its today() calls time.time().
    [methods] = gc.get_referents(datetime.datetime.__dict__)
    methods["now"] = classmethod(lambda cls, tz=None: cls.fromtimestamp(NOW, tz))
    methods["utcnow"] = classmethod(lambda cls: cls.utcfromtimestamp(NOW))
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))


sys.addaudithook(refuse)
freeze()
