"""Home Assistant's Supervisor, which tells its apps how to reach the broker."""

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, ValidationError

from ast_edge.base.errors import AstError
from ast_edge.base.secret_values import hide

TOKEN_VARIABLE = "SUPERVISOR_TOKEN"
"""The Supervisor gives it to every app."""
ADDRESS_VARIABLE = "AST_EDGE_SUPERVISOR"
"""For tests: where another Supervisor is."""
_ADDRESS = "http://supervisor"
_TIMEOUT = 5.0
_LONGEST = 65536


class BrokerUnknown(AstError):
    """The Supervisor does not tell the broker now; it may later."""

    exit_code = 69


class Broker(BaseModel):
    """How the broker is reached; the password stands in no `repr`."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)]
    ssl: bool = False
    username: str | None = None
    password: SecretStr | None = None


def ask_for_broker() -> Broker:
    """Return the broker as the Supervisor knows it now; nothing is kept.

    Raises:
        BrokerUnknown: it does not answer, has no broker, or does not let us ask.
    """
    address = os.environ.get(ADDRESS_VARIABLE, _ADDRESS)
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise BrokerUnknown(
            f"mqtt.supervisor: there is no {TOKEN_VARIABLE}: it is for apps of Home Assistant; "
            "elsewhere give mqtt.host"
        )
    hide(token, "***")
    answer = _get(f"{address}/services/mqtt", token)
    try:
        broker = Broker.model_validate(json.loads(answer)["data"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        what = exc.errors()[0]["loc"] if isinstance(exc, ValidationError) else type(exc).__name__
        # Without the cause, which quotes the answer, and the password in it.
        raise BrokerUnknown(
            f"the Supervisor's answer names no broker that can be understood ({what})"
        ) from None
    if broker.password:
        hide(broker.password.get_secret_value(), "***")
    return broker


def _get(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    # Whatever proxy the environment names is for the internet.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            body: bytes = answer.read(_LONGEST)
            return body
    except urllib.error.HTTPError as exc:
        exc.close()
        if exc.code in (401, 403):
            raise BrokerUnknown(
                f"the Supervisor does not let this app ask for the broker ({exc.code}): its "
                "config.yaml must have `services: [mqtt:want]`"
            ) from exc
        raise BrokerUnknown(
            f"Home Assistant has no broker yet ({exc.code}): install the app Mosquitto broker, or "
            "give mqtt.host in a configuration of your own"
        ) from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise BrokerUnknown(f"the Supervisor does not answer: {reason}") from exc
