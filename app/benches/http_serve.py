"""``python -m benches.http_serve NAME``: the same application behind another server."""

import logging
import sys

from pra.base import settings
from pra.events import choice
from pra.web import routes

#: As the application was served before: two processes of four threads.
_WORKERS, _THREADS = 2, 4


def _gunicorn(application, host: str, port: int, keepalive: int) -> None:
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            options = {
                "bind": f"{host}:{port}",
                "workers": _WORKERS,
                "threads": _THREADS,
                "worker_class": "gthread",
                "preload_app": True,
                "keepalive": keepalive,
                "limit_request_line": 8190,
                "graceful_timeout": 7,
                "timeout": 60,
                "worker_tmp_dir": "/tmp",
                "control_socket_disable": True,
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self):
            return application

    Server().run()


def _waitress(application, host: str, port: int) -> None:
    import waitress

    waitress.serve(application, host=host, port=port, threads=16, connection_limit=2048)


def main() -> None:
    """Serve until asked to stop."""
    logging.basicConfig(level=logging.ERROR)
    config = settings.load()
    application = routes.create_app(choice.ready_to_serve(config))
    served = {
        "gunicorn": lambda *where: _gunicorn(*where, keepalive=0),
        "gunicorn with keep-alive": lambda *where: _gunicorn(*where, keepalive=75),
        "waitress": _waitress,
    }
    served[sys.argv[1]](application, config.host, config.port)


main()
