# A tree with everything in it that a copy can meet, made with h5py in a file or with h5pyd on a server, and what
# such trees look like: the same text for the same tree, whoever keeps it.
#
#   build LIBRARY FILE OTHER     makes the tree, and in OTHER what its external links lead to
#   copy FILE OTHER DES FLAGS ...  copies it with h5py to /copies/0 and so on of DES, each with the flags in JSON
#   dump LIBRARY FILE PATH ...   writes the trees at paths of a file as JSON; of a domain as DOMAIN@BUCKET too
import base64
import hashlib
import json
import os
import sys
import urllib.request

import h5py
import numpy as np

TYPED = [(1, 1.5), (2, 7.25), (3, -0.0)]


def library(name):
    import h5pyd

    return {"h5py": h5py, "h5pyd": h5pyd}[name]


def build(lib, path, other):
    with lib.File(other, "w") as file:
        far = file.create_group("far")
        far.attrs["where"] = "elsewhere"
        far.create_dataset("numbers", data=np.arange(5, dtype="<i2"))
        far["itself"] = far
    with lib.File(path, "w") as file:
        outside = file.create_group("outside")
        outside.attrs["tag"] = "outside"
        outside.create_dataset("one", data=np.float64(1.5))
        file["outside_type"] = np.dtype([("a", "<i4"), ("b", "<f8")])
        tree = file.create_group("tree")
        groups(lib, file, tree)
        datasets(lib, tree)
        references(lib, file, tree)
        names(lib, tree, other)
    if lib is not h5py:
        by_request(path)


# What h5pyd can't make: datasets of committed types, and those without a dataspace.
def by_request(domain):
    ids = ask("POST", f"/?domain={domain}", {"h5paths": ["/tree/data", "/tree/data/type", "/outside_type"]})["h5paths"]
    group, inner, outer = (ids[path]["id"] for path in ["/tree/data", "/tree/data/type", "/outside_type"])

    def make(name, **body):
        body["link"] = {"id": group, "name": name}
        return ask("POST", f"/datasets?domain={domain}", body)["id"]

    typed = make("typed", type=inner, shape=[3])
    ask("PUT", f"/datasets/{typed}/value?domain={domain}", {"value": TYPED})
    make("typed_too", type=inner, shape=[2])
    make("typed_outside", type=outer, shape=[2])
    make("typed_outside_too", type=outer, shape=[2])
    make("null", type="H5T_STD_I32LE", shape="H5S_NULL")


def ask(method, path, body):
    credential = f"{os.environ['HS_USERNAME']}:{os.environ['HS_PASSWORD']}".encode()
    headers = {"Content-Type": "application/json", "Authorization": "Basic " + base64.b64encode(credential).decode()}
    data = json.dumps(body).encode()
    request = urllib.request.Request(os.environ["HS_ENDPOINT"] + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def groups(lib, file, tree):
    deep = tree.create_group("deep")
    deeper = deep.create_group("deeper")
    deeper["up"] = deep
    deeper["top"] = tree
    tree["shared"] = deeper
    deep.attrs["level"] = np.int8(1)
    deeper.attrs["levels"] = np.arange(6, dtype=">u4").reshape(2, 3)
    tree.attrs["title"] = "Größe \u2603"
    tree.attrs["flags"] = np.array([True, False, True])
    tree.attrs["nothing"] = lib.Empty("<f8")
    tree.attrs["words"] = np.array(["one", "", "drei"], dtype=lib.special_dtype(vlen=str))
    tree.attrs["bytes"] = np.array([b"ab", b"c"], dtype="S4")
    tree.attrs["not a number"] = np.array([np.nan, np.inf, -np.inf, 0.1])
    ragged = np.empty(2, dtype=object)
    ragged[0], ragged[1] = np.array([1, 2, 3], dtype="<i4"), np.array([4], dtype="<i4")
    tree.attrs.create("ragged", ragged, shape=(2,), dtype=lib.special_dtype(vlen=np.dtype("<i4")))
    tree.attrs["record"] = np.array([(1, 2.5)], dtype=[("n", "<i2"), ("x", ">f4")])


def datasets(lib, tree):
    data = tree.create_group("data")
    data["type"] = np.dtype([("a", "<i4"), ("b", "<f8")])
    data["type"].attrs["of"] = "a type"
    if lib is h5py:
        typed = data.create_dataset("typed", (3,), dtype=data["type"])
        typed[...] = np.array(TYPED, dtype=[("a", "<i4"), ("b", "<f8")])
        data.create_dataset("typed_too", (2,), dtype=data["type"])
        data.create_dataset("typed_outside", (2,), dtype=tree.file["outside_type"])
        data.create_dataset("typed_outside_too", (2,), dtype=tree.file["outside_type"])
        data.create_dataset("null", data=lib.Empty("<i4"))
    data.create_dataset("scalar", data=np.int64(42))
    data.create_dataset("zero", (0, 3), dtype="<i4", maxshape=(None, 3), chunks=(4, 3))
    data.create_dataset("never", (7, 5), dtype="<f4")
    data.create_dataset("big_endian", data=np.arange(12, dtype=">i4").reshape(3, 4))
    data.create_dataset("nan", (5,), dtype="<f8", fillvalue=np.nan)
    data["nan"][1:3] = [1, 2]
    data.create_dataset("filled", (6, 6), dtype="<i2", fillvalue=-7, chunks=(2, 3), maxshape=(None, 12))
    data["filled"][0:3, 0:2] = 0
    data.create_dataset("packed", data=np.arange(2000).reshape(40, 50), chunks=(10, 10), compression="gzip")
    data.create_dataset("bools", data=np.array([True, False, True]))
    colours = lib.special_dtype(enum=("u1", {"RED": 1, "GREEN": 2, "BLUE": 255}))
    data.create_dataset("colours", data=np.array([1, 255, 2], dtype="u1"), dtype=colours)
    data.create_dataset("complex", data=np.array([1 + 2j, -3.5j], dtype="<c16"))
    data.create_dataset("half", data=np.array([1.5, np.inf], dtype="<f2"))
    data.create_dataset("fixed", data=np.array([b"abc", b"", b"xy"], dtype="S3"))
    words = data.create_dataset("words", (4,), dtype=lib.special_dtype(vlen=str))
    words[0], words[2] = "Straße", "\u2603" * 50
    ragged = data.create_dataset("ragged", (3,), dtype=lib.special_dtype(vlen=np.dtype("<i8")))
    ragged[0], ragged[2] = [2, 3, 7], [42]
    record = np.dtype([("n", "<i4"), ("v", "<f8", (2, 2)), ("s", "S5"), ("b", ">i2")])
    data.create_dataset("record", (2,), dtype=record)
    data["record"][...] = np.array([(1, np.eye(2), b"one", 258), (2, np.zeros((2, 2)), b"two", -1)], dtype=record)
    tree["same_data"] = data["scalar"]
    rows = data.create_dataset("rows", (300, 100, 7), dtype="<f8", chunks=(50, 40, 7))
    rows[10:290, 5:95, :] = np.arange(280 * 90 * 7, dtype="<f8").reshape(280, 90, 7)


def references(lib, file, tree):
    refs = tree.create_group("refs")
    inside, outside, one = tree["data/scalar"], file["outside"], file["outside/one"]
    kind = lib.special_dtype(ref=lib.Reference)
    data = refs.create_dataset("data", (4,), dtype=kind)
    data[0], data[1], data[3] = inside.ref, outside.ref, tree.ref
    refs.attrs.create("group", outside.ref, dtype=kind)
    refs.attrs.create("many", np.array([inside.ref, one.ref, tree["deep"].ref], dtype=kind), shape=(3,), dtype=kind)


def names(lib, tree, other):
    names = tree.create_group("names")
    for name in ["a b", "Ünïcode \u2603", "%2F?&=#", "'\"\\", "..x", "-", "~", "\U0001f600" * 20]:
        names.create_group(name).attrs[name] = name
    links = tree.create_group("links")
    links["soft"] = lib.SoftLink("/tree/data/scalar")
    links["relative"] = lib.SoftLink("soft")
    links["outside"] = lib.SoftLink("/outside")
    links["soft_too"] = lib.SoftLink("/tree/data/scalar")
    links["nowhere"] = lib.SoftLink("/tree/nowhere")
    links["far"] = lib.ExternalLink(other, "/far")
    links["far_numbers"] = lib.ExternalLink(other, "/far/numbers")
    links["no_domain"] = lib.ExternalLink(other + ".none", "/far")
    links["no_path"] = lib.ExternalLink(other, "/none")


class Dump:
    def __init__(self, lib, file):
        self.lib, self.file = lib, file
        self.numbers, self.objects, self.queue = {}, [], []
        self.paths = {}

    def key(self, thing):
        if self.lib is h5py:
            info = h5py.h5o.get_info(thing.id)
            return (info.fileno, info.addr)
        return thing.id.uuid

    def number(self, thing):
        key = self.key(thing)
        if key not in self.numbers:
            self.numbers[key] = len(self.numbers)
            self.queue.append(thing)
        return self.numbers[key]

    def of(self, path):
        self.walk(self.file["/"], "", "/" if path == "/" else path)
        self.inner(self.file[path])
        self.number(self.file[path])
        while self.queue:
            self.objects.append(self.thing(self.queue.pop(0)))
        return self.objects

    # Where everything is, to say where references lead that lead out of the tree.
    def walk(self, group, path, without):
        for name in group:
            link = group.get(name, getlink=True)
            if type(link).__name__ != "HardLink" or f"{path}/{name}" == without:
                continue
            thing = group[name]
            if self.key(thing) not in self.paths:
                self.paths[self.key(thing)] = f"{path}/{name}"
                if hasattr(thing, "keys"):
                    self.walk(thing, f"{path}/{name}", without)

    # What is in the tree, however references lead there.
    def inner(self, thing):
        self.inside = getattr(self, "inside", set())
        if self.key(thing) in self.inside:
            return
        self.inside.add(self.key(thing))
        if hasattr(thing, "keys"):
            for name in thing:
                if type(thing.get(name, getlink=True)).__name__ == "HardLink":
                    self.inner(thing[name])

    def reference(self, reference):
        if not reference:
            return None
        try:
            thing = self.file[reference]
        except Exception:
            return None
        key = self.key(thing)
        path = self.paths.get(key, "")
        if key in self.inside or path.split("/")[1:2][:1] == [] or path[1:].startswith("~obj_pointed_by_"):
            return ["object", self.number(thing)]
        return ["at", path]

    def type(self, dtype):
        # As a server keeps them, which knows no such numbers.
        if dtype.kind == "c":
            part = dtype.str.replace("c16", "f8").replace("c8", "f4")
            return ["fields", [["r", part], ["i", part]]]
        metadata = dict(dtype.metadata or {})
        if "vlen" in metadata:
            base = metadata["vlen"]
            return ["any number of", "text" if base in (str, bytes) else self.type(np.dtype(base))]
        if "ref" in metadata:
            return ["reference"]
        if "enum" in metadata:
            return ["names", dtype.str, sorted((key, int(value)) for key, value in metadata["enum"].items())]
        if dtype.subdtype:
            return ["array", list(dtype.subdtype[1]), self.type(dtype.subdtype[0])]
        if dtype.names:
            return ["fields", [[name, self.type(dtype.fields[name][0])] for name in dtype.names]]
        return dtype.str

    def value(self, value, dtype):
        metadata = dict(dtype.metadata or {})
        if "ref" in metadata:
            if isinstance(value, np.ndarray):
                return [self.value(one, dtype) for one in value]
            return self.reference(value)
        is_plain = not metadata and not dtype.names and dtype.kind not in "OSU"
        if isinstance(value, np.ndarray) and is_plain and value.size > 1000:
            return hashlib.sha256(np.ascontiguousarray(value, dtype=dtype).tobytes()).hexdigest()
        # An element of any number of elements is an array itself.
        is_element = "vlen" in metadata and isinstance(value, np.ndarray) and value.dtype != object
        if isinstance(value, np.ndarray) and value.ndim > 0 and not is_element:
            return [self.value(one, dtype) for one in value]
        if isinstance(value, np.ndarray) and not is_element:
            value = value[()]
        if "vlen" in metadata:
            if metadata["vlen"] in (str, bytes):
                if isinstance(value, (int, np.integer)):
                    return ""
                return value.decode() if isinstance(value, bytes) else str(value)
            # What was never written.
            if np.ndim(value) == 0:
                return []
            base = np.dtype(metadata["vlen"])
            return [self.value(one, base) for one in value]
        if dtype.kind == "c":
            part = np.dtype(dtype.str.replace("c16", "f8").replace("c8", "f4"))
            return [self.value(value.real, part), self.value(value.imag, part)]
        if dtype.subdtype:
            return self.value(value, dtype.subdtype[0])
        if dtype.names:
            return [self.value(value[name], dtype.fields[name][0]) for name in dtype.names]
        if isinstance(value, (bytes, np.bytes_)):
            return value.decode()
        if isinstance(value, str):
            return value
        return np.array(value, dtype=dtype).tobytes().hex()

    def attributes(self, thing):
        attributes = {}
        for name in thing.attrs:
            value = thing.attrs[name]
            if type(value).__name__ == "Empty":
                attributes[name] = ["empty", self.type(value.dtype)]
                continue
            if self.lib is h5py:
                dtype = thing.attrs.get_id(name).dtype
            else:
                dtype = attribute_type(thing, name)
            shape = list(np.shape(value)) if "vlen" not in (dtype.metadata or {}) else [len(np.atleast_1d(value))]
            attributes[name] = [self.type(dtype), shape, self.value(value, dtype)]
        return attributes

    def committed(self, dataset):
        if self.lib is h5py:
            kind = dataset.id.get_type()
            if not kind.committed():
                return None
            info = h5py.h5o.get_info(kind)
            key = (info.fileno, info.addr)
        else:
            key = dataset.id.type_json.get("id")
            if key is None:
                return None
        return self.numbers.setdefault(key, len(self.numbers))

    def thing(self, thing):
        out = {"number": self.number(thing), "attributes": self.attributes(thing)}
        if hasattr(thing, "keys"):
            out["links"] = {name: self.link(thing, name) for name in thing}
        elif hasattr(thing, "shape"):
            out["type"], out["committed"] = self.type(thing.dtype), self.committed(thing)
            if thing.shape is None or self.lib is not h5py and thing.id.shape_json["class"] == "H5S_NULL":
                out["shape"] = None
                return out
            out["shape"] = list(thing.shape)
            if thing.chunks and thing.maxshape != thing.shape:
                out["most"] = list(thing.maxshape)
            if not thing.dtype.metadata and thing.dtype.kind not in "cSV":
                out["fill"] = self.value(thing.fillvalue, thing.dtype)
            if 0 not in thing.shape:
                out["value"] = self.value(thing[()], thing.dtype)
        else:
            out["datatype"] = self.type(thing.dtype)
        return out

    def link(self, group, name):
        link = group.get(name, getlink=True)
        if type(link).__name__ == "SoftLink":
            return ["soft", link.path]
        if type(link).__name__ == "ExternalLink":
            return ["external", link.filename.rsplit("/", 1)[-1], link.path]
        return self.number(group[name])


def attribute_type(thing, name):
    database = thing.id.db
    return database.getDtype(database.getAttribute(thing.id.uuid, name))


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "build":
        build(library(arguments[0]), arguments[1], arguments[2])
    elif command == "copy":
        source, far, destination, *flags = arguments
        # HDF5 knows what it copied already only in files that stay open.
        with h5py.File(source, "r+") as file, h5py.File(far, "r+"):
            with file if source == destination else h5py.File(destination, "a") as other:
                for number, one in enumerate(flags):
                    file.copy("tree", other, f"/copies/{number}", **json.loads(one))
    elif command == "dump":
        lib = library(arguments[0])
        domain, _, bucket = arguments[1].partition("@")
        options = {"bucket": bucket} if bucket else {}
        with lib.File(domain, "r", **options) as file:
            trees = [Dump(lib, file).of(path) for path in arguments[2:]]
            print(json.dumps(trees, sort_keys=True, ensure_ascii=False))


main()
