"""Stands in for what a Flyte has besides its data proxy: projects, tasks, triggers and runs, and that clusters have data
proxies of their own. Nothing runs here: a run is what was said of it.

control_plane.py DATA HTTP [HTTPS CERTIFICATES]

DATA is the address of the data proxy, HTTP and HTTPS are ports of 127.0.0.1. Who brings no bearer token is asked for
one. Each call is a line of the output: the procedure, and the code where it is refused.
"""

import ssl
import sys
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.cluster.payload_pb2 import SelectClusterResponse
from flyteidl2.cluster.service_connect import ClusterServiceSync, ClusterServiceWSGIApplication
from flyteidl2.common import identifier_pb2, phase_pb2
from flyteidl2.project import project_service_pb2 as projects
from flyteidl2.project.project_service_connect import ProjectServiceSync, ProjectServiceWSGIApplication
from flyteidl2.task import task_definition_pb2, task_service_pb2 as tasks
from flyteidl2.task.task_service_connect import TaskServiceSync, TaskServiceWSGIApplication
from flyteidl2.trigger import trigger_definition_pb2, trigger_service_pb2 as triggers
from flyteidl2.trigger.trigger_service_connect import TriggerServiceSync, TriggerServiceWSGIApplication
from flyteidl2.workflow import run_definition_pb2 as definitions, run_service_pb2 as runs, tracked_run_service_pb2
from flyteidl2.workflow.run_service_connect import RunServiceSync, RunServiceWSGIApplication
from flyteidl2.workflow.tracked_run_service_connect import TrackedRunServiceSync, TrackedRunServiceWSGIApplication
from google.rpc import status_pb2

ROOT = "a0"


def known(table, key):
    key = key.SerializeToString(deterministic=True)
    if key not in table:
        raise ConnectError(Code.NOT_FOUND, "there is none")
    return table[key]


class Clusters(ClusterServiceSync):
    def select_cluster(self, request, ctx):
        return SelectClusterResponse(cluster_endpoint=sys.argv[1])


class Projects(ProjectServiceSync):
    def get_project(self, request, ctx):
        if request.id != "flytesnacks":
            raise ConnectError(Code.NOT_FOUND, "there is none")
        domains = [projects.Domain(id=name, name=name) for name in ("development", "production")]
        project = projects.Project(id=request.id, name=request.id, org=request.org, domains=domains)
        return projects.GetProjectResponse(project=project)


class Tasks(TaskServiceSync):
    def __init__(self):
        self.details = {}

    def deploy_task(self, request, ctx):
        details = task_definition_pb2.TaskDetails(task_id=request.task_id, spec=request.spec)
        self.details[request.task_id.SerializeToString(deterministic=True)] = details
        return tasks.DeployTaskResponse()

    def get_task_details(self, request, ctx):
        return tasks.GetTaskDetailsResponse(details=known(self.details, request.task_id))


class Triggers(TriggerServiceSync):
    def __init__(self):
        self.details = {}

    def deploy_trigger(self, request, ctx):
        details = trigger_definition_pb2.TriggerDetails(
            id=identifier_pb2.TriggerIdentifier(name=request.name, revision=1), spec=request.spec)
        self.details[request.name.SerializeToString(deterministic=True)] = details
        return triggers.DeployTriggerResponse(trigger=details)

    def get_trigger_details(self, request, ctx):
        return triggers.GetTriggerDetailsResponse(trigger=known(self.details, request.name))


class Runs(RunServiceSync):
    def __init__(self, deployed):
        self.deployed, self.actions, self.data = deployed, {}, {}

    def begin(self, request, inputs_uri):
        run = request.run_id if request.HasField("run_id") else identifier_pb2.RunIdentifier(
            org=request.project_id.organization, project=request.project_id.name, domain=request.project_id.domain,
            name=f"run-{len(self.actions)}")
        action = self.action(identifier_pb2.ActionIdentifier(run=run, name=ROOT))
        by_name = request.HasField("task_id")
        action.task.CopyFrom(known(self.deployed.details, request.task_id).spec if by_name else request.task_spec)
        self.data[action.id.SerializeToString(deterministic=True)].inputs_uri = inputs_uri
        kept = definitions.Action(id=action.id, metadata=action.metadata, status=action.status)
        return runs.CreateRunResponse(run=definitions.Run(action=kept))

    def action(self, name):
        key = name.SerializeToString(deterministic=True)
        if key not in self.actions:
            status = definitions.ActionStatus(phase=phase_pb2.ACTION_PHASE_RUNNING, attempts=1)
            attempt = definitions.ActionAttempt(attempt=1, phase=status.phase, logs_available=True)
            self.actions[key] = definitions.ActionDetails(id=name, status=status, attempts=[attempt])
            self.data[key] = runs.GetActionDataURIsResponse()
        return self.actions[key]

    def create_run(self, request, ctx):
        # What is kept under the address is Flyte's own business, and ours.
        return self.begin(request, f"{request.offloaded_input_data.uri}/inputs.pb")

    def get_action_details(self, request, ctx):
        return runs.GetActionDetailsResponse(details=known(self.actions, request.action_id))

    def get_action_data_u_r_is(self, request, ctx):
        return known(self.data, request.action_id)


class TrackedRuns(TrackedRunServiceSync):
    def __init__(self, kept):
        self.kept = kept

    def create_run(self, request, ctx):
        return self.kept.begin(request, request.offloaded_input_data.uri)

    def report_actions(self, request, ctx):
        for update in request.updates:
            event, action = update.event, self.kept.action(update.event.id)
            action.status.phase = action.attempts[0].phase = event.phase
            if event.HasField("outputs"):
                action.attempts[0].outputs.CopyFrom(event.outputs)
                self.kept.data[event.id.SerializeToString(deterministic=True)].outputs_uri = event.outputs.output_uri
        statuses = [status_pb2.Status() for _ in request.updates]
        return tracked_run_service_pb2.ReportTrackedActionsResponse(statuses=statuses)


kept_tasks = Tasks()
kept_runs = Runs(kept_tasks)
SERVICES = {application.path: application for application in (
    ClusterServiceWSGIApplication(Clusters()),
    ProjectServiceWSGIApplication(Projects()),
    TaskServiceWSGIApplication(kept_tasks),
    TriggerServiceWSGIApplication(Triggers()),
    RunServiceWSGIApplication(kept_runs),
    TrackedRunServiceWSGIApplication(TrackedRuns(kept_runs)),
)}


def application(environment, start):
    path = environment["PATH_INFO"]

    def begin(status, headers, *rest):
        print(path.strip("/"), status.split()[0], flush=True)
        return start(status, headers, *rest)

    environment["wsgi.input"] = Body(environment)
    if not environment.get("HTTP_AUTHORIZATION", "").startswith("Bearer "):
        begin("401 Unauthorized", [("content-type", "application/json")])
        return [b'{"code": "unauthenticated", "message": "a bearer token is needed"}']
    service = SERVICES.get(path.rpartition("/")[0])
    if service is None:
        begin("501 Not Implemented", [("content-type", "application/json")])
        return [b'{"code": "unimplemented"}']
    return service(environment, begin)


class Body:
    """The body of a request, which ends where its length says."""

    def __init__(self, environment):
        self.file, self.left = environment["wsgi.input"], int(environment.get("CONTENT_LENGTH") or 0)

    def read(self, size=-1):
        data = self.file.read(self.left if size is None or size < 0 else min(size, self.left))
        self.left -= len(data)
        return data


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128
    context = None

    # In the thread of the connection, so that a client that says nothing stops nobody.
    def finish_request(self, request, client_address):
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    # One that goes before it has asked.
    def handle_error(self, request, client_address):
        pass


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def get_environ(self):
        return super().get_environ() | {"wsgi.url_scheme": "https" if self.server.context else "http"}


def serve(port, context=None):
    server = Server(("127.0.0.1", int(port)), Quiet)
    server.context = context
    server.set_app(application)
    server.serve_forever()


if len(sys.argv) > 3:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(f"{sys.argv[4]}/server.pem", f"{sys.argv[4]}/server.key")
    threading.Thread(target=serve, args=(sys.argv[3], secure), daemon=True).start()
serve(sys.argv[2])
