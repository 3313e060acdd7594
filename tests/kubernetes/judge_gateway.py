"""Asks the emulated API server what the sidecar asks a cluster for gateways, with Kubernetes' own client.

judge_gateway.py URL: says how many questions were answered as the client understands.
"""

import json
import sys

from kubernetes import client, watch
from kubernetes.client.rest import ApiException

GROUP, NAMESPACE = "gateway.networking.k8s.io", "edge"
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
        return body
    raise AssertionError(f"{what} is not refused")


api = client.ApiClient(client.Configuration(host=sys.argv[1]))
custom, core, discovery = client.CustomObjectsApi(api), client.CoreV1Api(api), client.DiscoveryV1Api(api)


def listener(name, port):
    return {"name": name, "port": port, "protocol": "TCP"}


def gateway(listeners):
    spec = {"gatewayClassName": "c", "listeners": listeners, "allowedListeners": {"namespaces": {"from": "Same"}}}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Gateway", "metadata": {"name": "tcp"}, "spec": spec}


def listener_set(name, port):
    spec = {"parentRef": {"name": "tcp"}, "listeners": [listener("tcp", port)]}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ListenerSet", "metadata": {"name": name}, "spec": spec}


def place(plural, version="v1"):
    return GROUP, version, NAMESPACE, plural


# Gateways: created, read, changed where nobody else did.
made = custom.create_namespaced_custom_object(*place("gateways"), gateway([listener("a", 1000)]))
check(made["metadata"]["generation"], 1, "the generation")
too_many = gateway([listener(f"l{number}", 1000 + number) for number in range(65)])
too_many["metadata"]["name"] = "full"
create = custom.create_namespaced_custom_object
body = refused(lambda: create(*place("gateways"), too_many), 422, "Invalid", "65 listeners")
check(body["details"]["causes"][0]["field"], "spec.listeners", "the field")
refused(lambda: custom.replace_namespaced_custom_object(*place("gateways"), "tcp", made), 409, "Conflict", "a stale write")
fresh = custom.get_namespaced_custom_object(*place("gateways"), "tcp")
fresh["spec"]["listeners"].append(listener("b", 1001))
changed = custom.replace_namespaced_custom_object(*place("gateways"), "tcp", fresh)
check(len(changed["spec"]["listeners"]), 2, "listeners")
status = custom.get_namespaced_custom_object_status(*place("gateways"), "tcp")["status"]
check({listener["name"] for listener in status["listeners"]}, {"a", "b"}, "what the controller says")

# Sets: the name is the lock.
first = create(*place("listenersets"), listener_set("taskgate-p20000", 20000))
refused(lambda: create(*place("listenersets"), listener_set("taskgate-p20000", 20000)), 409, "AlreadyExists", "a name twice")
sets = custom.list_namespaced_custom_object(*place("listenersets"))
check([item["metadata"]["name"] for item in sets["items"]], ["taskgate-p20000"], "the list")
refused(lambda: custom.list_namespaced_custom_object(*place("tcproutes", "v1alpha2")), 404, "NotFound", "an old version")

# What stands behind: typed, with an owner.
owner = client.V1OwnerReference(
    api_version=f"{GROUP}/v1", kind="ListenerSet", name="taskgate-p20000", uid=first["metadata"]["uid"]
)
metadata = client.V1ObjectMeta(name="taskgate-p20000", owner_references=[owner], labels={"a": "b"})
ports = [client.V1ServicePort(name="tcp", port=20000)]
service = core.create_namespaced_service(
    NAMESPACE, client.V1Service(metadata=metadata, spec=client.V1ServiceSpec(ports=ports))
)
check((service.spec.type, service.spec.ports[0].target_port), ("ClusterIP", 20000), "the service")
slice_of = client.V1EndpointSlice(
    address_type="IPv4",
    endpoints=[client.V1Endpoint(addresses=["10.0.0.1"])],
    metadata=client.V1ObjectMeta(name="taskgate-p20000-v4-1", owner_references=[owner]),
    ports=[client.DiscoveryV1EndpointPort(name="tcp", port=1)],
)
check(discovery.create_namespaced_endpoint_slice(NAMESPACE, slice_of).address_type, "IPv4", "the slice")
found = core.list_namespaced_service(NAMESPACE, label_selector="a=b").items
check([item.metadata.name for item in found], ["taskgate-p20000"], "services by label")
patched = core.patch_namespaced_service("taskgate-p20000", NAMESPACE, {"metadata": {"labels": {"a": "c"}}},
                                        _content_type="application/merge-patch+json")
check(patched.metadata.labels, {"a": "c"}, "a patch")

# Followed, and deleted: what it owned goes with it.
version = custom.list_namespaced_custom_object(*place("listenersets"))["metadata"]["resourceVersion"]
options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
delete = custom.delete_namespaced_custom_object
refused(lambda: delete(*place("listenersets"), "taskgate-p20000", body=options), 409, "Conflict", "another one")
delete(*place("listenersets"), "taskgate-p20000")
events = watch.Watch().stream(
    custom.list_namespaced_custom_object, *place("listenersets"), resource_version=version, timeout_seconds=30
)
event = next(events)
check((event["type"], event["object"]["metadata"]["name"]), ("DELETED", "taskgate-p20000"), "the watch")
check(core.list_namespaced_service(NAMESPACE).items, [], "services")
check(discovery.list_namespaced_endpoint_slice(NAMESPACE).items, [], "slices")
print(f"{answered} answers")
