"""What migrations are made of: steps that do nothing where they were done before.

MySQL commits each change of a table by itself, so a migration that was killed half-way has to be able to run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from peewee import SQL


def create_tables(database: Any, models: Iterable[Any]) -> None:
    """Make the tables of `models` and their indexes, where they are missing."""
    for made in models:
        made._meta.table_settings = database.table_settings
        with database.bind_ctx([made]):
            made._schema.create_table(safe=True)
            for index in made._meta.fields_to_index():
                columns = [field.column_name for field in index._expressions]
                add_index(database, made._meta.table_name, columns, unique=index._unique)


def add_columns(database: Any, table: str, columns: Mapping[str, Any]) -> None:
    """Add the columns that a table has not. One that may not be NULL needs a `default`, which old rows and old programs
    then get."""
    present = {column.name for column in database.get_columns(table)}
    for name, field in columns.items():
        if name in present:
            continue
        field.column_name = field.name = name
        if not field.null:
            field.constraints = [SQL(database.default_clause.format(_literal(field.default)))]
        context = database.get_sql_context()
        context.literal("ALTER TABLE ").literal(_quoted(database, table)).literal(" ADD COLUMN ").sql(
            field.ddl(context)
        )
        database.execute(context)


def add_index(database: Any, table: str, columns: Iterable[str], *, unique: bool = False) -> None:
    """Add an index of these columns where the table has none."""
    columns = list(columns)
    if columns in [index.columns for index in database.get_indexes(table)]:
        return
    name = _quoted(database, "_".join([table, *columns]))
    of = ", ".join(_quoted(database, column) for column in columns)
    kind = "UNIQUE INDEX" if unique else "INDEX"
    database.execute_sql(f"CREATE {kind} {name} ON {_quoted(database, table)} ({of})")


def drop_index(database: Any, table: str, columns: Iterable[str]) -> None:
    """Drop the index of exactly these columns, if there is one."""
    columns = list(columns)
    for index in database.get_indexes(table):
        if index.columns == columns:
            on = f" ON {_quoted(database, table)}" if database.drops_index_of_table else ""
            database.execute_sql(f"DROP INDEX {_quoted(database, index.name)}{on}")


def _quoted(database: Any, name: str) -> str:
    first, last = database.quote
    return f"{first}{name}{last}"


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'{}'".format(value.replace("'", "''"))
