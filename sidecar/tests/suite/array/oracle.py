"""Answers questions about arrays with numpy: a question a line on standard input, an answer a line."""

import json
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")

LIMITED = {"int": int, "float": float, "complex": complex}


def read(value):
    if "int" in value:
        return int(value["int"])
    if "float" in value:
        return float.fromhex(value["float"])
    data = bytes.fromhex(value["data"])
    return np.frombuffer(data, dtype=np.dtype(value["dtype"])).reshape(value["shape"])


def written(array):
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": np.ascontiguousarray(array, dtype=little).tobytes().hex(),
    }


def promote(question):
    return np.promote_types(question["from"], question["to"]).name


def can_cast(question):
    return bool(np.can_cast(question["from"], question["to"], question["casting"]))


def astype(question):
    return [written(read(question["value"]).astype(question["to"]))]


def types(question):
    function = getattr(np, question["name"])
    operands = tuple(LIMITED.get(name) or np.dtype(name) for name in question["operands"])
    found = function.resolve_dtypes(operands + (None,) * function.nout)
    return [dtype.name for dtype in found[function.nin :]]


def ufunc(question):
    results = getattr(np, question["name"])(*[read(value) for value in question["values"]])
    return [written(result) for result in (results if isinstance(results, tuple) else (results,))]


def where(question):
    return [written(np.where(*[read(value) for value in question["values"]]))]


def clip(question):
    value, low, high = [None if value is None else read(value) for value in question["values"]]
    return [written(np.clip(value, low, high))]


def reduction(question):
    """What numpy says, and the same in extended precision, from which both may be away."""
    value, name, axes = read(question["value"]), question["name"], question["axes"]
    axes = tuple(axes) if axes is not None else None
    if name in ("argmin", "argmax"):
        axes = None if axes is None or len(axes) == value.ndim != 1 else axes[0]
    options = {"axis": axes, "keepdims": question["keepdims"]}
    if name in ("std", "var"):
        options["ddof"] = question["ddof"]
    name = {"count": "count_nonzero"}.get(name, name)
    results = [written(getattr(np, name)(value, **options))]
    if name in ("sum", "prod", "mean", "std", "var") and results[0]["dtype"].startswith(("float", "complex")):
        wide = value.astype(np.clongdouble if value.dtype.kind == "c" else np.longdouble)
        exact = getattr(np, name)(wide, **options)
        results.append(written(exact.astype(np.complex128 if exact.dtype.kind == "c" else np.float64)))
    return results


def answer(question):
    try:
        return {"answer": globals()[question["ask"]](question)}
    except (TypeError, ValueError, OverflowError) as error:
        return {"error": type(error).__name__.lstrip("_")}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
