"""Service: whether the service that commands and workers call is ready, by its /health/ready."""

from collections.abc import Iterator, Mapping

import httpx

from almanac.doctor.check import Check

NAME = "service"
DEFAULT = "http://127.0.0.1:8000"
TIMEOUT_SECONDS = 3.0


def check_service(environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield what /health/ready of ALMANAC_SERVICE_URL says; that none runs is wrong only if the variable is set."""
    named = environment.get("ALMANAC_SERVICE_URL")
    url = (named or DEFAULT).rstrip("/")
    try:
        response = httpx.get(f"{url}/health/ready", timeout=TIMEOUT_SECONDS)
        found = response.json()
        status = found["status"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        if not named:
            yield Check(NAME, "ok", f"No service answers at {url}.")
            return
        reason = str(error) if isinstance(error, httpx.HTTPError) else "that is no Almanac"
        remedy = "Start almanac serve, or correct ALMANAC_SERVICE_URL."
        yield Check(NAME, "error", f"{url} does not answer: {reason}.", remedy)
        return
    if status != "ready":
        yield Check(
            NAME, "error", f"{url} is not ready: {found.get('detail', status)}", str(found.get("hint", "See its log."))
        )
        return
    bad = [
        f"{part}: {found[part]}" for part in ("database", "registry") if found.get(part) not in {"ok", "absent", None}
    ]
    if bad:
        yield Check(
            NAME, "error", f"{url} is ready; {', '.join(bad)}.", "See its log, and docs/operations.md, Failures."
        )
    else:
        yield Check(NAME, "ok", f"{url} is ready.")
