#!/bin/sh
# Create Temporal's two databases, or bring their schemas up to date. Safe to repeat.
set -eu
for database in temporal temporal_visibility; do
    schema=${database#temporal_}
    sql() { temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal --database "$database" "$@"; }
    sql create-database
    sql setup-schema --version 0.0 || echo "$database has a schema already"
    sql update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
