"""Does with Flyte's SDK what its users do, and prints what came of it as JSON.

sdk.py SETTINGS COMMAND ARGUMENT...

SETTINGS is a configuration of the SDK; `token:TOKEN@HOST:PORT` instead shows that token with each call. What the SDK
refuses is `{"error": class, "text": …}`.
"""

import contextlib
import json
import os
import pathlib
import sys

import names  # noqa: F401: before anything that connects

import flyte
import flyte.report
from flyte.remote import Action, Task

PROJECT, DOMAIN = "flytesnacks", "development"
# What is sent along with a task: this file.
ROOT = pathlib.Path(__file__).parent
settings, command, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]

env = flyte.TaskEnvironment(name="tests", image="localhost/none:1")


@env.task(report=True)
async def double(number: int, note: str = "") -> int:
    await flyte.report.replace.aio(f"<p>{number} doubled \u00fc</p>")
    await flyte.report.flush.aio()
    return 2 * number


def upload(*paths):
    """Uploads files one after the other."""
    return [dict(zip(("md5", "uri"), flyte.remote.upload_file(pathlib.Path(path)))) for path in paths]


def upload_dir(path, prefix):
    return flyte.remote.upload_dir(pathlib.Path(path), prefix=prefix)


def run(number):
    started = flyte.with_runcontext(mode="remote", copy_style="loaded_modules").run(double, number=int(number))
    return {"run": started.name}


def tracked(number):
    done = flyte.with_runcontext(mode="local", tracked=True, tracked_strict=True, name="tracked").run(
        double, number=int(number))
    return {"output": done.outputs()[0]}


def action(name):
    found = Action.get(run_name=name, name="a0")
    details = flyte.remote.ActionDetails.get(run_name=name, name="a0")
    shown = {"inputs": dict(details_of(details.inputs))}
    with contextlib.suppress(RuntimeError):
        shown["outputs"] = list(details_of(details.outputs))
    # Of a run that is not over there is none.
    if shown.get("outputs", [None]) != [None]:
        shown["report"] = found.get_report()
    return shown


def details_of(method):
    import asyncio

    return asyncio.run(method())


def deploy(number):
    flyte.deploy(env, version="v1")
    started = flyte.with_runcontext(mode="remote").run(Task.get(double.name, version="v1"), number=int(number))
    return {"run": started.name}


def tail(name):
    """Prints each line as it comes."""
    for line in Action.get(run_name=name, name="a0").get_logs():
        print(json.dumps(line), flush=True)


def main():
    do = {one.__name__.replace("_", "-"): one for one in (upload, upload_dir, run, tracked, action, deploy, tail)}
    shown = contextlib.nullcontext()
    try:
        if settings.startswith("token:"):
            token, _, endpoint = settings.removeprefix("token:").rpartition("@")
            flyte.init(endpoint=endpoint, auth_type="Passthrough", project=PROJECT, domain=DOMAIN, root_dir=ROOT)
            shown = flyte.remote.auth_metadata(("authorization", f"Bearer {token}"))
        else:
            flyte.init_from_config(settings, root_dir=ROOT)
        with shown:
            print(json.dumps(do[command](*arguments)), flush=True)
    except Exception as refused:
        print(json.dumps({"error": type(refused).__name__, "text": str(refused)}), flush=True)


# The SDK looks for the module of a task, and loads it again.
if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
