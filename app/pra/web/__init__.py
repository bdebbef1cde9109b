"""The application as users see it: events, routes, the server."""
