from pathlib import Path
from threading import Event, Thread, Timer

from service.store.database import Database, read_state, write_state


def test_closing_waits_for_a_connection_in_use(tmp_path: Path) -> None:
    """The connection is back before the pool closes."""
    database = Database(f"sqlite:///{tmp_path / 'almanac.db'}")
    database.migrate()
    in_use, may_end, order = Event(), Event(), list[str]()

    def read() -> None:
        with database.reading():
            in_use.set()
            may_end.wait(10)
            order.append("read")

    reader = Thread(target=read)
    reader.start()
    in_use.wait(10)
    Timer(0.05, may_end.set).start()

    database.close()
    order.append("closed")
    reader.join(10)

    assert order == ["read", "closed"]


def test_what_is_remembered_is_replaced(tmp_path: Path) -> None:
    """A value that another process has written meanwhile is not an error."""
    database = Database(f"sqlite:///{tmp_path / 'almanac.db'}")
    database.migrate()

    for now, value in enumerate(("a", "b")):
        with database.writing() as connection:
            write_state(connection, "default model", value, now)

    assert read_state(database, "default model") == "b"
    database.close()
