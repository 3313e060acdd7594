# What Python loads before anything else in the nodes of an HSDS server that a test started.
#
# HSDS listens on all addresses, whatever it is told: here it listens on loopback alone. And it ends when
# the test ends, however that ended.
import os
import threading
import time

from aiohttp import web

_run_app = web.run_app


def _run_app_on_loopback(app, *, sock=None, host=None, **options):
    if sock is not None:
        return _run_app(app, sock=sock, **options)
    return _run_app(app, host="127.0.0.1", **options)


web.run_app = _run_app_on_loopback


def _end_with(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
