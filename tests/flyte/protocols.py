"""Asks the data service behind the gate, with TLS, over every protocol and codec of Flyte's own client, and with gRPC's.

protocols.py HOST:PORT TOKEN
"""

import os
import pathlib
import sys

import names  # noqa: F401: before anything that connects

import grpc
from connectrpc.codec import proto_binary_codec, proto_json_codec
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from flyteidl2.cluster import payload_pb2 as cluster
from flyteidl2.cluster.service_connect import ClusterServiceClientSync
from flyteidl2.cluster.service_pb2_grpc import ClusterServiceStub
from flyteidl2.common import identifier_pb2 as common
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2_grpc import DataProxyServiceStub
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

ENDPOINT, TOKEN = sys.argv[1:]
HOST, PORT = ENDPOINT.split(":")
AUTHORITIES = pathlib.Path(os.environ["SSL_CERT_FILE"]).read_bytes()
KNOWN = {"authorization": f"Bearer {TOKEN}"}
PROJECT, DOMAIN = "flytesnacks", "development"


def check(call, error):
    """`call(method, request, headers)` asks; `error(method, request, headers)` gives the code of a refusal."""
    answer = call("SelectCluster", cluster.SelectClusterRequest(
        project_id=common.ProjectIdentifier(name=PROJECT, domain=DOMAIN), operation=1), KNOWN)
    assert answer.cluster_endpoint == f"https://{ENDPOINT}", answer

    upload = dataproxy.CreateUploadLocationRequest(
        project=PROJECT, domain=DOMAIN, filename="foo bar \u00fc #1.txt", content_md5=bytes(16))
    answer = call("CreateUploadLocation", upload, KNOWN)
    key = f"uploads/{PROJECT}/{DOMAIN}/AAAAAAAAAAAAAAAAAAAAAAAAAA======/foo bar \u00fc #1.txt"
    assert answer.native_url == f"taskgate://main/{key}", answer
    assert answer.signed_url.startswith(f"https://{ENDPOINT}/"), answer.native_url

    run = common.RunIdentifier(project=PROJECT, domain=DOMAIN, name="run")
    log = dataproxy.TailLogsRequest(action_id=common.ActionIdentifier(run=run, name="a0"), attempt=1)
    stream, lines = call("TailLogs", log, KNOWN), []
    for answer in stream:
        lines += [line.message for logs in answer.logs for line in logs.lines]
        if len(lines) == 2:
            break
    assert lines == ["one", "two"], lines

    codes = [
        error("CreateUploadLocation", upload, {}),
        error("CreateUploadLocation", upload, {"authorization": "Bearer none"}),
        error("TailLogs", log, {}),
    ]
    assert codes == 3 * ["UNAUTHENTICATED"], codes
    upload.project = "nobody"
    code = error("CreateUploadLocation", upload, KNOWN)
    assert code == "NOT_FOUND", code


def snake(method):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method).lstrip("_")


def flyte(protocol, codec):
    version = HTTPVersion.HTTP2 if protocol == ProtocolType.GRPC else HTTPVersion.HTTP1
    transport = SyncHTTPTransport(http_version=version, tls_ca_cert=AUTHORITIES)
    options = {"protocol": protocol, "codec": codec, "http_client": SyncClient(transport)}
    data = DataProxyServiceClientSync(f"https://{ENDPOINT}", **options)
    clusters = ClusterServiceClientSync(f"https://{ENDPOINT}", **options)

    def call(method, request, headers):
        client = clusters if method == "SelectCluster" else data
        return getattr(client, snake(method))(request, headers=headers)

    def error(method, request, headers):
        try:
            list(call(method, request, headers)) if method == "TailLogs" else call(method, request, headers)
        except ConnectError as refused:
            return refused.code.name
        raise AssertionError(f"{method} was not refused")

    check(call, error)


def plain_grpc():
    options = (("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", ENDPOINT))
    credentials = grpc.ssl_channel_credentials(AUTHORITIES)
    with grpc.secure_channel(f"{names.LOOPBACK}:{PORT}", credentials, options) as channel:
        data, clusters = DataProxyServiceStub(channel), ClusterServiceStub(channel)

        def call(method, request, headers):
            stub = clusters if method == "SelectCluster" else data
            return getattr(stub, method)(request, metadata=list(headers.items()), compression=grpc.Compression.Gzip)

        def error(method, request, headers):
            try:
                list(call(method, request, headers)) if method == "TailLogs" else call(method, request, headers)
            except grpc.RpcError as refused:
                return refused.code().name
            raise AssertionError(f"{method} was not refused")

        check(call, error)


count = 0
for each_protocol in (ProtocolType.CONNECT, ProtocolType.GRPC, ProtocolType.GRPC_WEB):
    # Proxies refuse gRPC in JSON as they do gRPC, which this client does not take for an answer.
    codecs = [proto_binary_codec()] if each_protocol == ProtocolType.GRPC else [proto_binary_codec(), proto_json_codec()]
    for each_codec in codecs:
        flyte(each_protocol, each_codec)
        count += 1
plain_grpc()
count += 1
print(f"{count} clients", flush=True)
# Streams that were left are still open.
os._exit(0)
