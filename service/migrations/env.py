"""Environment of Alembic: runs the migrations on the connection that is handed in, within its transaction."""

from alembic import context

from service.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=context.config.attributes["schema"],
    include_schemas=True,
)
context.run_migrations()
