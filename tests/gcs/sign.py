"""Signs the requests on its input with Google's library and a key made for it; prints the key and the URLs as JSON."""

import datetime
import json
import sys
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.storage import _signing
from google.oauth2 import service_account


def main() -> None:
    order = json.load(sys.stdin)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key": private.decode(),
        "private_key_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    credentials = service_account.Credentials.from_service_account_info(key)
    urls = [
        _signing.generate_signed_url_v4(
            credentials,
            # As `Blob.generate_signed_url` makes it.
            resource=f"/{order['bucket']}/{quote(request['name'], safe='/~')}",
            expiration=datetime.timedelta(seconds=request["secs"]),
            method=request["method"],
            content_md5=request.get("md5"),
            headers=request["headers"],
            response_disposition=request.get("disposition"),
            response_type=request.get("type"),
            query_parameters=request.get("parameters"),
            _request_timestamp=order["time"],
        )
        for request in order["requests"]
    ]
    json.dump({"key": key, "urls": urls}, sys.stdout)


main()
