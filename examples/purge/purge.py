"""Sends a signed purge order. Needs Python 3.9 or newer.

    EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… python3 purge.py '{"tags":["front"]}'
"""

import base64
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid


def purge(site, secret, order):
    """Sends an order and returns its receipt. Raises urllib.error.HTTPError if it is refused."""
    body = json.dumps(order).encode()
    id, now = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{id}.{now}.".encode() + body, "sha256")
    request = urllib.request.Request(f"{site}/.edgekeep/purge", body, {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    })
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


if __name__ == "__main__":
    try:
        receipt = purge(os.environ["EDGEKEEP_SITE"], os.environ["EDGEKEEP_SECRET"], json.loads(sys.argv[1]))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode()}")
    print(json.dumps(receipt))
