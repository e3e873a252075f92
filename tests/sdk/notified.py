"""A listener for the simulator's notifications, and the SDK's own handler over what it hears.

The handler insists on a certificate from Amazon's hosts, and so it gets one: the address in the
message, which is not signed, is written as Amazon's, and calls to it go to the simulator.
"""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib import request as urllib_request

from amazon_pay import ipn_handler

AMAZON = "https://sns.us-east-1.amazonaws.com"


class Mailbox:
    """Takes notifications on a free port; refuses the first, as a server in trouble does."""

    def __init__(self):
        heard = self.heard = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((body, dict(self.headers)))
                self.send_response(503 if len(heard) == 1 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/ipn" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of_types(self, wanted, about="", patience=20):
        """What was heard, once there is one of each of these types, and one about this object."""
        until = time.time() + patience
        while time.time() < until:
            heard = [json.loads(json.loads(body)["Message"]) for body, _ in self.heard]
            named = any(about in json.dumps(message) for message in heard)
            if named and wanted <= {message["NotificationType"] for message in heard}:
                return list(self.heard)
            time.sleep(0.05)
        raise AssertionError((wanted, heard))


def handler(base, body, headers):
    """The SDK's handler as its users make it; only the address is another."""
    envelope = json.loads(body)
    assert envelope["SigningCertURL"].startswith(base), envelope["SigningCertURL"]
    envelope["SigningCertURL"] = envelope["SigningCertURL"].replace(base, AMAZON)
    # The SDK looks for the header in this spelling, as frameworks give it.
    headers = {"-".join(word.capitalize() for word in name.split("-")): value
               for name, value in headers.items()}
    made = ipn_handler.IpnHandler(json.dumps(envelope).encode(), headers)

    class AtTheSimulator:
        Request = urllib_request.Request

        @staticmethod
        def urlopen(url):
            return urllib_request.urlopen(url.full_url.replace(AMAZON, base))

    ipn_handler.request = AtTheSimulator
    return made
