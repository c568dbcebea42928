"""Querying: a parameter in an address that nobody reads is refused, as an unknown field of a body is."""

from fastapi import Request

from service.parsing import refuse_unknown


async def only_known_parameters(request: Request) -> None:
    """Raise FieldUnknown for the first parameter that the route does not name: a slip is not to be swallowed."""
    known = tuple(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    refuse_unknown(dict.fromkeys(request.query_params.keys()), known)
