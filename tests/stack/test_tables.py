"""Single tables of a real PostgreSQL brought back: what stays as it is, and what is refused."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.project import Project, docker, swept, unique

COMPOSE = """
services:
  db:
    image: postgres:17
    environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1], interval: 1s, retries: 120}
volumes:
  data:
"""
SEED = r"""
CREATE SCHEMA audit;
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (
    id serial PRIMARY KEY, customer int REFERENCES customers, parent int REFERENCES orders, state state DEFAULT 'new',
    note text, price money, doubled int GENERATED ALWAYS AS (id * 2) STORED, gone int,
    position int UNIQUE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE orders DROP COLUMN gone;
CREATE TABLE items (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE, what text);
CREATE TABLE audit.orders ("Odd ""col: x" text, at timestamptz, raw bytea);
CREATE TABLE audit.log (line text);
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO audit.log VALUES (TG_OP); RETURN coalesce(NEW, OLD); END$$;
CREATE TRIGGER noted BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION audit.note();
CREATE TRIGGER always BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION audit.note();
ALTER TABLE orders ENABLE ALWAYS TRIGGER always;
CREATE RULE kept AS ON DELETE TO audit.orders DO INSTEAD NOTHING;
CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid';
CREATE TABLE events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE remarks (id int, day date, FOREIGN KEY (id, day) REFERENCES events);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 10) n;
INSERT INTO orders (customer, parent, note, price, position)
    SELECT 1 + n % 10, nullif(n - 1, 0), E'tab\tline\n\\. back\\slash ''quoted'' \\N ü ' || n, n * 1.5, n
    FROM generate_series(1, 1000) n;
INSERT INTO items (order_id, what) SELECT n, md5(n::text) FROM generate_series(1, 1000) n;
INSERT INTO audit.orders VALUES (E'\t"', '2026-01-02 03:04:05.678+02', '\x00ff5c'), (NULL, NULL, NULL),
    ('', 'infinity', '');
INSERT INTO events SELECT n, date '2025-06-01' + n FROM generate_series(1, 400) n;
INSERT INTO remarks SELECT id, day FROM events;
TRUNCATE audit.log;
GRANT SELECT ON orders TO PUBLIC;
COMMENT ON TABLE orders IS 'whatever was sold';
CREATE INDEX notes ON orders (note);
"""


def run(project: Project, statements: str, database: str = "app") -> str:
    words = ("psql", "-U", "app", "-v", "ON_ERROR_STOP=1", "-Atq", "-d", database)
    command = ["docker", "exec", "--interactive", f"{project.name}-dev-db-1", *words]
    done = subprocess.run(command, input=statements, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rows(project: Project, table: str, database: str = "app") -> str:
    """A number that tells whether a table's rows are the same."""
    counted = "SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)::numeric) FROM"
    return run(project, f"{counted} {table} t", database)


def everything(project: Project, *options: str) -> str:
    """All that a database holds, as the dump tool sees it."""
    return docker("exec", f"{project.name}-dev-db-1", "pg_dump", "-U", "app", "--restrict-key=same", *options, "app")


def oldest(project: Project) -> str:
    """The backup of what every test begins with."""
    return min(project.root.glob("backups/*/manifest.json")).parent.name


def newest(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(max(project.root.glob("backups/*/manifest.json")).read_text())
    return found


@contextlib.contextmanager
def session(project: Project, statements: str) -> Iterator[None]:
    """Somebody else's connection, which does something and then stays, for as long as the block runs."""
    words = ("psql", "-U", "app", "-Atq", "app")
    command = ["docker", "exec", "--interactive", f"{project.name}-dev-db-1", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdin
        assert held.stdout
        held.stdin.write(f"{statements};\n\\echo done\n")
        held.stdin.flush()
        assert held.stdout.readline() == "done\n"
        try:
            yield
        finally:
            held.stdin.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root, name = tmp_path_factory.mktemp("tables"), unique("tables")
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (root / "compose.yaml").write_text(COMPOSE)
    with swept(name):
        project = Project(root, name)
        project.inv("dev.up")
        run(project, SEED)
        project.inv("db.backup")
        yield project


@pytest.fixture
def shop(server: Project) -> Iterator[Project]:
    """The same server, as it is in the backup."""
    yield server
    server.inv("db.restore", oldest(server), "--no-safety", "--yes")


def restore(shop: Project, *tables: str, expect: int = 0, safety: bool = False) -> str:
    only = [word for table in tables for word in ("--only", table)]
    words = ("--yes", *([] if safety else ["--no-safety"]))
    return shop.inv("db.restore", oldest(shop), *only, *words, expect=expect).stderr


def test_the_rows_of_one_table_come_back_and_nothing_else_changes(shop: Project) -> None:
    before, others = rows(shop, "orders"), rows(shop, "items")
    run(
        shop,
        """
        UPDATE orders SET note = 'lost'; INSERT INTO customers VALUES (11, 'newer');
        INSERT INTO orders (id, customer, note) VALUES (5000, 11, 'newer'); DELETE FROM audit.log;
        SELECT setval('orders_id_seq', 7); UPDATE audit.orders SET at = NULL;
        """,
    )
    elsewhere = rows(shop, "audit.orders"), rows(shop, "customers")

    said = restore(shop, "db/app/orders", safety=True)

    assert "db/app public.orders: 1001 now, 1000 after" in said
    assert "audit.orders:" not in said
    assert "db/app/orders on this machine is as it was in" in said
    assert f"inv db.restore {newest(shop)['id']} takes this back" in said
    assert (rows(shop, "orders"), rows(shop, "items")) == (before, others)
    assert (rows(shop, "audit.orders"), rows(shop, "customers")) == elsewhere
    assert run(shop, "SELECT count(*) FROM audit.log") == "0", "no trigger has run"
    assert run(shop, "INSERT INTO orders (customer) VALUES (11) RETURNING id") == "1001"
    assert run(shop, "SELECT line FROM audit.log") == "INSERT\nINSERT", "both run again"
    assert run(shop, "SELECT datname FROM pg_database WHERE datname ~ '_restore_'") == ""


def test_a_sequence_that_is_ahead_stays_there(shop: Project) -> None:
    run(shop, "SELECT setval('orders_id_seq', 5000)")

    restore(shop, "db/app/orders")

    assert run(shop, "SELECT nextval('orders_id_seq')") == "5001"


def test_values_and_names_of_any_kind_come_back_in_the_schema_that_is_named(shop: Project) -> None:
    before, others = rows(shop, "audit.orders"), rows(shop, "orders")
    run(
        shop,
        """
        ALTER TABLE audit.orders DISABLE RULE kept; DELETE FROM audit.orders;
        ALTER TABLE audit.orders ENABLE RULE kept; INSERT INTO audit.orders VALUES ('newer');
        """,
    )

    restore(shop, "app/audit.orders")

    assert (rows(shop, "audit.orders"), rows(shop, "orders")) == (before, others)


def test_rows_that_others_still_refer_to_are_not_taken_away(shop: Project) -> None:
    run(
        shop,
        """
        INSERT INTO orders (id, customer) VALUES (5000, 1);
        INSERT INTO items (order_id, what) VALUES (5000, 'newer'), (5000, 'newest'), (NULL, 'none');
        """,
    )
    before = everything(shop)

    said = restore(shop, "db/app/orders", expect=1)

    assert "2 rows of public.items would refer to rows that public.orders lacks (items_order_id_fkey)" in said
    assert "nothing was changed" in said
    assert everything(shop) == before
    assert run(shop, "SELECT datname FROM pg_database WHERE datname ~ '_restore_'") == ""


def test_tables_that_refer_to_each_other_are_restored_together(shop: Project) -> None:
    before = rows(shop, "orders"), rows(shop, "items")
    run(shop, "INSERT INTO orders (id, customer) VALUES (5000, 1); UPDATE items SET order_id = 5000, what = 'lost'")

    said = restore(shop, "db/app/items", "db/app/orders")

    assert "db/app/items, db/app/orders on this machine is as it was" in said
    assert (rows(shop, "orders"), rows(shop, "items")) == before
    assert run(shop, "INSERT INTO items (what) VALUES ('next') RETURNING id") == "1001"


def test_rows_whose_own_references_are_gone_are_not_brought_back(shop: Project) -> None:
    run(shop, "UPDATE orders SET customer = 2 WHERE customer = 1; DELETE FROM customers WHERE id = 1")
    before = everything(shop)

    said = restore(shop, "db/app/orders", expect=1)

    assert "100 rows of public.orders would refer to rows that public.customers lacks (orders_customer_fkey)" in said
    assert everything(shop) == before


def test_a_deferred_constraint_that_was_made_since_is_held_to(shop: Project) -> None:
    run(
        shop,
        "DELETE FROM items; DELETE FROM orders WHERE id > 10; "
        "ALTER TABLE orders ADD UNIQUE (customer) DEFERRABLE INITIALLY DEFERRED",
    )
    before = everything(shop)

    said = restore(shop, "db/app/orders", expect=1)

    assert "10 values would be more than once in public.orders (orders_customer_key)" in said
    assert everything(shop) == before


def test_a_partition_is_a_table_like_any_other(shop: Project) -> None:
    before = rows(shop, "events_2025"), rows(shop, "events_2026")
    run(
        shop,
        """
        INSERT INTO events VALUES (9999, '2025-02-02');
        DELETE FROM remarks WHERE id = 7; DELETE FROM events WHERE id = 7;
        """,
    )

    restore(shop, "db/app/events_2025")

    assert (rows(shop, "events_2025"), rows(shop, "events_2026")) == before
    run(shop, "INSERT INTO events VALUES (9999, '2025-02-02'); INSERT INTO remarks VALUES (9999, '2025-02-02')")
    said = restore(shop, "db/app/events_2025", expect=1)
    assert "1 rows of public.remarks would refer to rows that public.events lacks" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE audit.orders ADD COLUMN newer int", "other columns now"),
        ("CREATE TABLE audit.heir () INHERITS (audit.orders)", "audit.orders has tables that inherit from it"),
    ],
)
def test_a_table_that_is_another_one_now_is_refused_and_can_be_had_beside(
    shop: Project, change: str, said: str
) -> None:
    before = rows(shop, "audit.orders")
    run(shop, change)
    after = everything(shop)

    answer = restore(shop, "db/app/audit.orders", expect=1)
    beside = shop.inv("db.restore", oldest(shop), "--only", "db/app/audit.orders", "--into", "beside").stderr

    assert said in answer
    assert "--only db/app/audit.orders --into NAME" in answer
    assert everything(shop) == after
    assert "its other tables are empty" in beside
    assert rows(shop, "audit.orders", "beside") == before
    assert run(shop, "SELECT count(*) FROM orders", "beside") == "0"
    run(shop, "DROP DATABASE beside", "postgres")


def test_a_table_that_was_dropped_comes_back_with_all_that_it_had(shop: Project) -> None:
    before, definition = rows(shop, "orders"), everything(shop, "--schema-only")
    run(shop, "DROP TABLE orders CASCADE")

    said = restore(shop, "db/app/orders")

    assert "db/app public.orders: none now, 1000 after" in said
    assert rows(shop, "orders") == before
    run(shop, "CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid'")
    assert sorted(everything(shop, "--schema-only").splitlines()) == sorted(definition.splitlines())
    assert run(shop, "INSERT INTO orders (customer) VALUES (1) RETURNING id") == "1001"
    assert run(shop, "SELECT line FROM audit.log") == "INSERT\nINSERT", "no trigger has run, and both run again"


def test_a_dropped_table_whose_rows_do_not_fit_any_more_stays_away(shop: Project) -> None:
    run(shop, "DROP TABLE orders CASCADE; DELETE FROM customers WHERE id = 1")
    before = everything(shop)

    said = restore(shop, "db/app/orders", expect=1)

    assert 'violates foreign key constraint "orders_customer_fkey"' in said
    assert everything(shop) == before


def test_somebody_who_holds_a_lock_is_waited_for_and_then_left_alone(shop: Project) -> None:
    with session(shop, "BEGIN; UPDATE orders SET note = 'mine' WHERE id = 1"):
        said = restore(shop, "db/app/orders", expect=1)

    assert "canceling statement due to lock timeout" in said
    assert "nothing was changed" in said


def test_readers_go_on_reading_meanwhile(shop: Project) -> None:
    with session(shop, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders \\g /dev/null"):
        restore(shop, "db/app/orders")


def test_a_dump_that_lies_is_refused_before_anything_is_touched(shop: Project) -> None:
    shop.inv("db.backup")
    path = max(shop.root.glob("backups/*/manifest.json"))
    manifest = json.loads(path.read_text())
    next(one for one in manifest["parts"] if one["kind"] == "postgres")["contents"]["public.orders"]["checksum"] = "1"
    path.write_text(json.dumps(manifest))
    before = everything(shop)

    done = shop.inv("db.restore", manifest["id"], "--only", "db/app/orders", "--no-safety", "--yes", expect=1)

    assert "public.orders: as many as there should be (1000), but not the same" in done.stderr
    assert everything(shop) == before
    shutil.rmtree(path.parent)


def test_a_table_that_there_is_not_is_answered_with_the_nearest(shop: Project) -> None:
    assert "did you mean 'orders'?" in restore(shop, "db/app/oders", expect=2)
    assert "a table is named with its database: db/app/orders" in restore(shop, "db/orders", expect=2)
