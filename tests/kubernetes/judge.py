"""Asks the server of the tests what the sidecar asks a cluster, with Kubernetes' own client.

judge.py URL TOKEN: says how many questions were answered as the client understands.
"""

import datetime
import json
import sys

from kubernetes import client, watch
from kubernetes.client.rest import ApiException

answered = 0


def check(found, expected, what):
    global answered
    assert found == expected, f"{what}: {found!r} is not {expected!r}"
    answered += 1


def refused(call, status, reason, what):
    try:
        call()
    except ApiException as error:
        body = json.loads(error.body)
        check((error.status, body["kind"], body["reason"]), (status, "Status", reason), what)
    else:
        raise AssertionError(f"{what} is not refused")


def api(url, token):
    settings = client.Configuration(host=url)
    settings.api_key = {"BearerToken": token}
    settings.api_key_prefix = {"BearerToken": "Bearer"}
    return client.CoreV1Api(client.ApiClient(settings))


url, token = sys.argv[1:]
pods = api(url, token)

for name, phase in [("waits", "Pending"), ("runs", "Running"), ("done", "Succeeded"), ("broken", "Failed")]:
    check(pods.read_namespaced_pod(name, "jobs").status.phase, phase, f"the phase of {name}")
pod = pods.read_namespaced_pod("done", "jobs")
check([container.name for container in pod.spec.containers], ["main", "side"], "containers")
check((pod.metadata.name, pod.metadata.namespace), ("done", "jobs"), "the pod")



def log(**options):
    # Raw: the client makes text of bytes in a way of its own.
    answer = pods.read_namespaced_pod_log("done", "jobs", container="main", _preload_content=False, **options)
    return answer.data.decode().splitlines()


check(log(), ["one", "two", "three"], "the whole log")
check(log(tail_lines=2), ["two", "three"], "the end of it")
stamped = log(timestamps=True)
check([line.split(" ", 1)[1] for line in stamped], ["one", "two", "three"], "lines with dates")
dates = [datetime.datetime.fromisoformat(line.split(" ", 1)[0].replace("Z", "+00:00")) for line in stamped]
check(dates, sorted(dates), "dates")
# The first line is of long ago.
check(log(since_seconds=3600), ["two", "three"], "what came since")
check(log(since_seconds=3600, tail_lines=1, timestamps=True), stamped[2:], "all of it")
lines = watch.Watch().stream(pods.read_namespaced_pod_log, "runs", "jobs", container="main", follow=True)
check(next(lines), "one", "what is there")
check(next(lines), "two", "what comes then")
check(list(lines), ["three"], "and the end")

refused(lambda: pods.read_namespaced_pod("none", "jobs"), 404, "NotFound", "a pod that is not there")
refused(lambda: pods.read_namespaced_pod_log("none", "jobs"), 404, "NotFound", "its log")
refused(lambda: pods.read_namespaced_pod_log("done", "jobs"), 400, "BadRequest", "a log of one of two containers")
refused(
    lambda: pods.read_namespaced_pod_log("done", "jobs", container="x"), 400, "BadRequest", "a log of no container"
)
refused(lambda: pods.read_namespaced_pod_log("waits", "jobs"), 400, "BadRequest", "a log that has not begun")
refused(lambda: pods.read_namespaced_pod("done", "closed"), 403, "Forbidden", "a namespace that is closed")
refused(lambda: api(url, "nobody").read_namespaced_pod("done", "jobs"), 401, "Unauthorized", "a stranger")
print(f"{answered} answers")
