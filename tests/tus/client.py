"""Uploads a file with tuspy: `client.py new|again|pause URL FILE`. `new` creates the upload, `again` goes on with
it and knows no more than the URL, `pause` creates it, sends half of it, says `half` and waits to be killed.

Says what came of it: `done`, or `refused` and the status.
"""

import signal
import sys

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.uploader import Uploader

how, url, path = sys.argv[1:]
terms = {"chunk_size": 1 << 20, "retries": 20, "retry_delay": 0, "upload_checksum": how != "again"}
try:
    uploader = Uploader(path, url=url, **terms) if how == "again" else TusClient(url).uploader(path, **terms)
    if how == "pause":
        uploader.upload(stop_at=uploader.get_file_size() // 2)
        print("half", flush=True)
        signal.pause()
    uploader.upload()
except TusCommunicationError as error:
    print("refused", error.status_code)
else:
    print("done")
