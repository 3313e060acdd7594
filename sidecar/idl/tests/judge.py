"""What Flyte's own package says of our messages.

`judge.py descriptors FILE`: FILE is a descriptor set. Prints what of its messages, fields, enums and methods differs
from the package's.
`judge.py samples`: prints messages with every field set, in turn with every member of each oneof, one a line: the
name, and the bytes in hexadecimal.
`judge.py encode`: reads such lines, and prints them as the package encodes what it read.
"""

import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from flyteidl2.cluster import service_pb2 as _cluster
from flyteidl2.dataproxy import dataproxy_service_pb2 as _dataproxy

POOL = descriptor_pool.Default()
ROOTS = [
    "flyteidl2.cluster.SelectClusterRequest",
    "flyteidl2.cluster.SelectClusterResponse",
    "flyteidl2.dataproxy.CreateDownloadLinkRequest",
    "flyteidl2.dataproxy.CreateDownloadLinkResponse",
    "flyteidl2.dataproxy.CreateUploadLocationRequest",
    "flyteidl2.dataproxy.CreateUploadLocationResponse",
    "flyteidl2.dataproxy.GetActionDataRequest",
    "flyteidl2.dataproxy.GetActionDataResponse",
    "flyteidl2.dataproxy.TailLogsRequest",
    "flyteidl2.dataproxy.TailLogsResponse",
    "flyteidl2.dataproxy.UploadInputsRequest",
    "flyteidl2.dataproxy.UploadInputsResponse",
]
# How deep samples go: as deep as it takes to have a type in a value in a list in inputs in a request.
DEPTH = 9


def shape(field, container):
    """What matters of a field."""
    oneof = container.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return {
        "name": field.name,
        "type": field.type,
        "type_name": field.type_name,
        "label": field.label,
        "oneof": "" if field.proto3_optional else oneof,
        "optional": field.proto3_optional,
        "packed": field.options.packed if field.options.HasField("packed") else None,
    }


def theirs(full_name):
    proto = descriptor_pb2.DescriptorProto()
    POOL.FindMessageTypeByName(full_name).CopyToProto(proto)
    return proto


def compare_enum(enum, name, out):
    known = POOL.FindEnumTypeByName(name)
    ours = [(value.name, value.number) for value in enum.value]
    if ours != [(value.name, value.number) for value in known.values]:
        out.append(f"{name}: other values")


def compare_message(message, name, out):
    known = theirs(name)
    ours = {field.number: shape(field, message) for field in message.field}
    package = {field.number: shape(field, known) for field in known.field}
    for number in sorted(ours.keys() | package.keys()):
        if ours.get(number) != package.get(number):
            out.append(f"{name}: field {number} is {ours.get(number)}, not {package.get(number)}")
    if [oneof.name for oneof in message.oneof_decl] != [oneof.name for oneof in known.oneof_decl]:
        out.append(f"{name}: other oneofs")
    order = lambda proto: [field.number for field in proto.field]
    if order(message) != order(known):
        out.append(f"{name}: fields in another order")
    for nested in message.nested_type:
        compare_message(nested, f"{name}.{nested.name}", out)
    for enum in message.enum_type:
        compare_enum(enum, f"{name}.{enum.name}", out)
    return 1 + len(message.nested_type)


def descriptors(path):
    with open(path, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    out, count = [], 0
    for file in files.file:
        if file.package.startswith("google."):
            continue
        for message in file.message_type:
            count += compare_message(message, f"{file.package}.{message.name}", out)
        for enum in file.enum_type:
            compare_enum(enum, f"{file.package}.{enum.name}", out)
        for service in file.service:
            known = POOL.FindServiceByName(f"{file.package}.{service.name}")
            copy = descriptor_pb2.ServiceDescriptorProto()
            known.CopyToProto(copy)
            methods = lambda of: [
                (m.name, m.input_type, m.output_type, m.client_streaming, m.server_streaming,
                 m.options.idempotency_level)
                for m in of.method
            ]
            if methods(service) != methods(copy):
                out.append(f"{known.full_name}: other methods")
    print("\n".join(out))
    print(f"{count} messages")


SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: -7,
    FieldDescriptor.CPPTYPE_INT64: -(1 << 40),
    FieldDescriptor.CPPTYPE_UINT32: 300,
    FieldDescriptor.CPPTYPE_UINT64: 1 << 63,
    FieldDescriptor.CPPTYPE_DOUBLE: 2.5,
    FieldDescriptor.CPPTYPE_FLOAT: -0.5,
    FieldDescriptor.CPPTYPE_BOOL: True,
}


def scalar(field):
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return field.enum_type.values[-1].number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"\x00\xff" if field.type == FieldDescriptor.TYPE_BYTES else f"{field.name} \u00fc"
    return SCALARS[field.cpp_type]


def fill(message, turn, depth):
    """Sets every field; of a oneof the member whose turn it is."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and oneof.fields[turn % len(oneof.fields)].number != field.number:
            continue
        if field.message_type is None:
            if field.is_repeated:
                getattr(message, field.name).extend([scalar(field)] * 2)
            else:
                setattr(message, field.name, scalar(field))
            continue
        if depth == 0:
            continue
        if field.message_type.GetOptions().map_entry:
            entries = getattr(message, field.name)
            value = field.message_type.fields_by_name["value"]
            # One entry in `Struct`: only there is the order of the encoding not fixed.
            for key in ["b"] if message.DESCRIPTOR.name == "Struct" else ["b", "", "a\u00fc"]:
                if value.message_type is None:
                    entries[key] = scalar(value)
                else:
                    fill(entries[key], turn, depth - 1)
        elif field.is_repeated:
            for next_turn in (turn, turn + 1):
                fill(getattr(message, field.name).add(), next_turn, depth - 1)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            fill(inner, turn, depth - 1)


def message_class(name):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


def samples():
    for name in ROOTS + ["flyteidl2.task.Inputs", "flyteidl2.task.Outputs"]:
        for turn in range(12):
            for depth in (1, 3, DEPTH):
                message = message_class(name)()
                fill(message, turn, depth)
                print(name, message.SerializeToString(deterministic=True).hex())


def encode():
    for line in sys.stdin:
        name, _, text = line.rstrip("\n").partition(" ")
        message = message_class(name).FromString(bytes.fromhex(text))
        print(name, message.SerializeToString(deterministic=True).hex())


if __name__ == "__main__":
    {"descriptors": descriptors, "samples": samples, "encode": encode}[sys.argv[1]](*sys.argv[2:])
