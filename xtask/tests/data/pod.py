"""Stands in for the application: `python3 pod.py DATA [JOB]`.

Without JOB it serves /health, /slow (an answer that takes a while) and /, on both of its ports. With
it, it does what the job's word says. It ends in good order on SIGTERM.
"""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

data, job = sys.argv[1], (sys.argv + [""])[2] or os.environ.get("JOB", "")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path in ("/health", "/ready") and os.path.exists(data + "/sick"):
            self.send_error(500)
            return
        if self.path == "/slow":
            time.sleep(0.5)
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def serve():
    servers = [
        Server((os.environ["HOST"], int(os.environ[port])), Handler)
        for port in ("PRA_PROBE_PORT", "PORT")
    ]
    # A child that a careless end would leave behind.
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    probes, users = servers
    threading.Thread(target=probes.serve_forever, daemon=True).start()
    stop = threading.Thread(target=users.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    users.serve_forever()
    users.server_close()


def run(word):
    with open(data + "/ran", "a") as ran:
        ran.write(word + "\n")
    print("job", word, flush=True)
    if word == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    sys.exit({"ok": 0, "refused": 1}.get(word, 3))


if job:
    run(job)
serve()
