"""The studio over HTTP: routes, security, the server, transfer of files."""
