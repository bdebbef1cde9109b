"""What HTTP asks of a request and the server does not check, before anything is done with it."""

from pra.web import answers
from pra.web.answers import Refused


def check(scope) -> None:
    """Refuse a request that could be taken for another one.

    Args:
        scope: the request, as RSGI describes it.

    Raises:
        Refused
    """
    # Methods are case-sensitive, and whoever asks later may not know that.
    if not scope.method.isupper():
        raise Refused(answers.no_method(scope.method))
    if not scope.path.startswith("/") and (scope.method, scope.path) != ("OPTIONS", "*"):
        raise Refused(answers.no_target())
    if scope.http_version != "1" and len(scope.headers.get_all("host")) != 1:
        raise Refused(answers.no_host())
    codings = scope.headers.get_all("transfer-encoding")
    if codings and ",".join(codings).strip().lower() != "chunked":
        raise Refused(answers.no_coding())
