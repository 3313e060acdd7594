"""Holds resources against the schemas of Kubernetes.

validate.py VERSION < list of resources as JSON: prints what is wrong, and how many resources it knew.
"""

import json
import sys

import kubernetes_validate

known = 0
for resource in json.load(sys.stdin):
    name = f"{resource['kind']} {resource['metadata']['name']}"
    try:
        kubernetes_validate.validate(resource, sys.argv[1], strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        print(f"unknown: {resource['apiVersion']} {resource['kind']}")
        continue
    except kubernetes_validate.ValidationError as error:
        where = ".".join(str(part) for part in error.path)
        print(f"wrong: {name}: {where}: {error.message[:500]}")
    known += 1
print(f"known: {known}")
