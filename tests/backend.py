"""An HTTP back end: orders are taken, refused or answered late as they ask, and a counter counts its readers."""

import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

reads = 0
reading = threading.Lock()
telling = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """Answers requests; each is a line of output."""

    protocol_version = "HTTP/1.1"

    def tell(self, body=b""):
        """Prints what has come."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = {"method": self.command, "target": self.path, "headers": headers, "body": body.decode()}
        with telling:
            print("request: " + json.dumps(line), flush=True)

    def answer(self, status, body, content_type="application/json"):
        """Sends a whole response."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        """Is there."""
        self.answer(200, b"")

    def do_GET(self):
        """Counts, and refuses two readers at once."""
        global reads
        self.tell()
        if not reading.acquire(blocking=False):
            self.answer(409, b'"two at once"')
            return
        try:
            time.sleep(0.15)
            reads += 1
            body = json.dumps({"reads": reads} | self.client()).encode()
        finally:
            # Before the answer: who has that may ask again before this goes on.
            reading.release()
        self.answer(200, body)

    def do_POST(self):
        """Takes an order."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.tell(body)
        order = json.loads(body or b"{}")
        if order.get("slow"):
            time.sleep(float(order["slow"]))
        if order.get("refuse"):
            self.answer(422, b'{"why":"out of stock"}')
        else:
            self.answer(201, b'{"taken":' + (body or b"null") + b"}")

    def client(self):
        """The common name of the certificate that the client has shown, if it has."""
        shown = isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert()
        names = [value for name in (shown or {}).get("subject", ()) for key, value in name if key == "commonName"]
        return {"client": names[0]} if names else {}

    def log_message(self, *_):
        """Says nothing else."""


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 512


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
if len(sys.argv) > 2:
    certificate, key, authority = sys.argv[2:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
