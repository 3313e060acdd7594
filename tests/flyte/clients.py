"""Asks the data proxy at the address with Flyte's own client, over every protocol and codec that it has, and with
gRPC's. What is there the test has made: an upload of anybody, a report, a log, inputs.
"""

import sys

import grpc
from connectrpc.codec import proto_binary_codec, proto_json_codec
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from flyteidl2.cluster import payload_pb2 as cluster
from flyteidl2.cluster.service_connect import ClusterServiceClientSync
from flyteidl2.cluster.service_pb2_grpc import ClusterServiceStub
from flyteidl2.common import identifier_pb2 as common
from flyteidl2.core import literals_pb2 as core
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2_grpc import DataProxyServiceStub
from flyteidl2.task import common_pb2, task_definition_pb2
from google.protobuf import duration_pb2
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

WHO = {"x-user": "ann"}
ACTION = common.ActionIdentifier(run=common.RunIdentifier(project="p", domain="d", name="run"), name="a0")


def check(call, error):
    """`call(method, request)` asks; `error(method, request)` gives the code and text of a refusal."""
    answer = call("SelectCluster", cluster.SelectClusterRequest(
        project_id=common.ProjectIdentifier(name="p", domain="d"), operation=1))
    assert answer.cluster_endpoint == f"http://{sys.argv[1]}", answer

    upload = dataproxy.CreateUploadLocationRequest(
        project="p", domain="d", filename="foo bar \u00fc #1.txt", content_md5=bytes(16),
        expires_in=duration_pb2.Duration(seconds=900), add_content_md5_metadata=True)
    answer = call("CreateUploadLocation", upload)
    assert answer.native_url == "s3://main/uploads/p/d/AAAAAAAAAAAAAAAAAAAAAAAAAA======/foo bar \u00fc #1.txt", answer
    assert answer.signed_url.endswith("?signature=secret") and answer.expires_at.seconds == 1

    number = core.Literal(scalar=core.Scalar(primitive=core.Primitive(integer=42)))
    answer = call("UploadInputs", dataproxy.UploadInputsRequest(
        project_id=common.ProjectIdentifier(name="p", domain="d"),
        task_spec=task_definition_pb2.TaskSpec(),
        inputs=common_pb2.Inputs(literals=[common_pb2.NamedLiteral(name="x", value=number)])))
    assert answer.offloaded_input_data.inputs_hash == "ImqB6TmEjYE", answer

    attempt = common.ActionAttemptIdentifier(action_id=ACTION, attempt=1)
    answer = call("CreateDownloadLink", dataproxy.CreateDownloadLinkRequest(
        artifact_type=dataproxy.ARTIFACT_TYPE_REPORT, action_attempt_id=attempt))
    assert list(answer.pre_signed_urls.signed_url) == ["https://main/report.html?signature=secret"], answer

    answer = call("GetActionData", dataproxy.GetActionDataRequest(action_id=ACTION))
    assert answer.inputs.literals[0].name == "x" and answer.inputs_uri == "s3://main/inputs.pb", answer

    lines = [line.message for answer in call("TailLogs", dataproxy.TailLogsRequest(action_id=ACTION, attempt=1))
             for logs in answer.logs for line in logs.lines]
    assert lines == ["one", "two"], lines

    upload.project = "nobody"
    assert error("CreateUploadLocation", upload) == ("NOT_FOUND", 'project "nobody" not found')
    upload.project = "p"
    upload.content_md5 = b""
    text = "either filename_root or content_md5 must be provided"
    assert error("CreateUploadLocation", upload) == ("INVALID_ARGUMENT", text)


def snake(method):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method).lstrip("_")


def flyte(protocol, codec):
    version = HTTPVersion.HTTP2 if protocol == ProtocolType.GRPC else HTTPVersion.HTTP1
    options = {
        "protocol": protocol,
        "codec": codec,
        "http_client": SyncClient(SyncHTTPTransport(http_version=version)),
    }
    data = DataProxyServiceClientSync(f"http://{sys.argv[1]}", **options)
    clusters = ClusterServiceClientSync(f"http://{sys.argv[1]}", **options)

    def call(method, request):
        client = clusters if method == "SelectCluster" else data
        return getattr(client, snake(method))(request, headers=WHO)

    def error(method, request):
        try:
            call(method, request)
        except ConnectError as refused:
            return refused.code.name, refused.message
        raise AssertionError(f"{method} was not refused")

    check(call, error)


def plain_grpc():
    with grpc.insecure_channel(sys.argv[1]) as channel:
        data, clusters = DataProxyServiceStub(channel), ClusterServiceStub(channel)

        def call(method, request):
            stub = clusters if method == "SelectCluster" else data
            return getattr(stub, method)(request, metadata=list(WHO.items()), compression=grpc.Compression.Gzip)

        def error(method, request):
            try:
                call(method, request)
            except grpc.RpcError as refused:
                return refused.code().name, refused.details()
            raise AssertionError(f"{method} was not refused")

        check(call, error)


count = 0
for each_protocol in (ProtocolType.CONNECT, ProtocolType.GRPC, ProtocolType.GRPC_WEB):
    for each_codec in (proto_binary_codec(), proto_json_codec()):
        flyte(each_protocol, each_codec)
        count += 1
plain_grpc()
count += 1
print(f"{count} clients")
