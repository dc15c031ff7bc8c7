"""SQLAlchemy with psycopg: every transaction of a session begins with its token, and ends with it."""

import os

from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

engine = create_engine(os.environ["DATABASE_URL"])  # postgresql+psycopg://…, a login that inherits identity_app


@event.listens_for(Session, "after_begin")
def authenticate(session, transaction, connection):
    if token := session.info.get("token"):
        connection.execute(text("select identity.authenticate(:token)"), {"token": token})


def notes_of(token):
    with Session(engine, info={"token": token}) as session, session.begin():
        return session.scalars(text("select body from notes order by body")).all()


# What follows is the test.
if __name__ == "__main__":
    from sqlalchemy.exc import DBAPIError

    assert notes_of(os.environ["ALICE_TOKEN"]) == ["of Alice"]
    assert notes_of(None) == [], "the pooled connection kept somebody"
    assert notes_of(os.environ["BOB_TOKEN"]) == ["of Bob"]
    with Session(engine, info={"token": os.environ["ALICE_TOKEN"]}) as session:
        # Each of its transactions for itself.
        for _ in range(2):
            assert session.scalar(text("select identity.subject()")) == os.environ["ALICE_SUB"]
            session.rollback()
        session.execute(text("insert into notes (body) values ('another')"))
        session.commit()
    assert notes_of(os.environ["ALICE_TOKEN"]) == ["another", "of Alice"]
    try:
        notes_of("x")
    except DBAPIError as refusal:
        assert refusal.orig.sqlstate == "ID101", refusal
    else:
        raise AssertionError("a token that is none was taken")
    print("sqlalchemy: all good")
