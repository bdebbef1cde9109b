"""The application over HTTP: routes, the server."""
