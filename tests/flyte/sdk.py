"""Does with Flyte's SDK what its users do, and prints what came of it as JSON.

sdk.py SETTINGS COMMAND ARGUMENT...

SETTINGS is a configuration of the SDK; `token:TOKEN@HOST:PORT` instead shows that token with each call. What the SDK
refuses is `{"error": class, "text": …}`.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import sys

import names  # noqa: F401: before anything that connects

import flyte
import flyte.report
from flyte._initialize import get_client
from flyte.remote import Action, Task, Trigger
from flyteidl2.common import identifier_pb2
from flyteidl2.core import literals_pb2
from flyteidl2.dataproxy import dataproxy_service_pb2
from flyteidl2.task import common_pb2, task_definition_pb2

PROJECT, DOMAIN = "flytesnacks", "development"
# What is sent along with a task: this file.
ROOT = pathlib.Path(__file__).parent
settings, command, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]

env = flyte.TaskEnvironment(name="tests", image="localhost/none:1")


@env.task(report=True, cache=flyte.Cache("override", version_override="1", ignored_inputs=("note",)))
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
    return asyncio.run(method())


def deploy(number):
    flyte.deploy(env, version="v1")
    started = flyte.with_runcontext(mode="remote").run(Task.get(double.name, version="v1"), number=int(number))
    return {"run": started.name}


def triggers(number):
    """The cache keys of inputs of one task, as the SDK and a trigger's run ask for them: notes are not part of them."""
    flyte.deploy(env, version="v1")
    nightly = flyte.Trigger("nightly", flyte.FixedRate(60), inputs={"number": int(number), "note": "a"})
    kept = Trigger.create(nightly, double.name, "v1").details.pb2.spec.offloaded_input_data
    place = {"project": PROJECT, "domain": DOMAIN}
    task = {"task_id": task_definition_pb2.TaskIdentifier(name=double.name, version="v1", **place)}
    trigger = {"trigger_name": identifier_pb2.TriggerName(name="nightly", task_name=double.name, **place)}
    asked = [(trigger, int(number), "b"), (task, int(number), "c"), (task, int(number) + 1, "c")]
    return [kept.inputs_hash, *(asyncio.run(inputs_hash(*one)) for one in asked)]


async def inputs_hash(task, number, note):
    primitives = {"number": literals_pb2.Primitive(integer=number), "note": literals_pb2.Primitive(string_value=note)}
    literals = [
        common_pb2.NamedLiteral(name=name, value=literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=value)))
        for name, value in primitives.items()
    ]
    answer = await get_client().dataproxy_service.upload_inputs(dataproxy_service_pb2.UploadInputsRequest(
        project_id=identifier_pb2.ProjectIdentifier(name=PROJECT, domain=DOMAIN),
        inputs=common_pb2.Inputs(literals=literals), **task))
    return answer.offloaded_input_data.inputs_hash


def tail(name):
    """Prints each line as it comes."""
    for line in Action.get(run_name=name, name="a0").get_logs():
        print(json.dumps(line), flush=True)


def main():
    do = {one.__name__.replace("_", "-"): one for one in (upload, upload_dir, run, tracked, action, deploy, triggers, tail)}
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
