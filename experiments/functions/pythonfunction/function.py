"""The function itself."""

HELLO = (200, "text/plain; charset=utf-8", b"Hello From Python Serverless Function")


def handle(request):
    """Greet, whatever was asked."""
    return HELLO
