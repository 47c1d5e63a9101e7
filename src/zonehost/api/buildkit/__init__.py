"""BuildKit's protocol, as `docker buildx` and Compose speak it: gRPC on HTTP/2 on a connection that was HTTP.

Imported when the first client asks for it.
"""
