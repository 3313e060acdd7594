"""Writes into a folder what servers of tests speak TLS with: `ca.pem`, `server.pem` and `server.key`, for some names.

certificate.py FOLDER NAME...
"""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def write(path, data):
    path.write_bytes(data)
    path.chmod(0o600)


def certificate(subject, key, issuer, issuer_key, *extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
ca, ca_key = name("Taskgate's tests"), ec.generate_private_key(ec.SECP256R1())
server_key = ec.generate_private_key(ec.SECP256R1())
write(folder / "ca.pem", certificate(
    ca, ca_key, ca, ca_key, x509.BasicConstraints(ca=True, path_length=0)))
write(folder / "server.pem", certificate(
    name(names[0]), server_key, ca, ca_key, x509.BasicConstraints(ca=False, path_length=None),
    x509.SubjectAlternativeName([x509.DNSName(one) for one in names]),
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])))
write(folder / "server.key", server_key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
