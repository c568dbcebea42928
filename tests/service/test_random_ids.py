"""Ids: random and in the form of a UUID of version 4."""

import os
from uuid import UUID, uuid4

from service.random_ids import AT_ONCE, new_id, new_uuid


def test_an_id_is_a_random_uuid() -> None:
    """Beyond those that are made at once no id comes twice."""
    ids = [new_uuid() for _ in range(3 * AT_ONCE)]

    assert len(set(ids)) == len(ids)
    assert all((UUID(one).version, UUID(one).variant, str(UUID(one))) == (4, uuid4().variant, one) for one in ids)


def test_a_forked_process_repeats_no_id() -> None:
    """It reads random bytes of its own."""
    new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 32).decode() != new_id()
