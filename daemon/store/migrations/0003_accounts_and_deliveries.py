"""Accounts, their secrets, what is published through them, and what an operator is told."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, BigIntegerField, CharField, IntegerField, Model, TextField

from daemon.store.schema import add_columns, add_index, create_tables


class Account(Model):
    id = CharField(40, primary_key=True)
    kind = CharField(20)
    remote_id = CharField(80)
    name = TextField()
    state = CharField(20)
    problem = TextField()
    warning = TextField()
    about = TextField()
    told = TextField()
    expires_us = BigIntegerField(null=True)
    data_until_us = BigIntegerField(null=True)
    paused_until_us = BigIntegerField(null=True)
    checked_us = BigIntegerField(null=True)
    connected_us = BigIntegerField()

    class Meta:
        table_name = "account"
        indexes = ((("kind", "remote_id"), True),)


class Vault(Model):
    id = CharField(60, primary_key=True)
    sealed = TextField()
    sealed_us = BigIntegerField()

    class Meta:
        table_name = "vault"


class Delivery(Model):
    seq = AutoField()
    id = CharField(40, unique=True)
    job_id = CharField(40)
    key_id = CharField(40)
    target = CharField(20)
    account_id = CharField(40)
    state = CharField(20)
    spec = TextField()
    remote = TextField()
    tries = IntegerField()
    orders = IntegerField()
    claims = IntegerField()
    owner = CharField(80, null=True)
    due_us = BigIntegerField()
    next_us = BigIntegerField()
    sent_us = BigIntegerField(null=True)
    sent_claim = IntegerField()
    error = TextField(null=True)
    warnings = TextField()
    created_us = BigIntegerField()
    ended_us = BigIntegerField(null=True)

    class Meta:
        table_name = "delivery"
        indexes = (
            (("state", "next_us"), False),
            (("job_id",), False),
            (("account_id", "sent_us"), False),
            (("key_id", "seq"), False),
        )


class Alert(Model):
    seq = AutoField()
    subject = TextField()
    body = TextField()
    tries = IntegerField()
    next_us = BigIntegerField()
    created_us = BigIntegerField()
    done_us = BigIntegerField(null=True)

    class Meta:
        table_name = "alert"
        indexes = ((("done_us", "next_us"), False),)


def up(migrator: Any, database: Any) -> None:
    create_tables(database, [Account, Vault, Delivery, Alert])
    add_columns(database, "key", {"publish": TextField(null=True)})
    add_index(database, "delivery", ("account_id", "state", "due_us"))
