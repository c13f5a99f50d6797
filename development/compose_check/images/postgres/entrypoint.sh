#!/bin/bash
# The first start of PostgreSQL, like that of the image postgres:16: a superuser with POSTGRES_PASSWORD, then the scripts
# of /docker-entrypoint-initdb.d while only the socket answers. Later starts go on with what is in PGDATA.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
    chown -R postgres:postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    exec gosu postgres "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?the superuser must have a password}"
    initdb --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    printf "\nlisten_addresses = '*'\n" >> "$PGDATA/postgresql.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sql; do
        psql --set ON_ERROR_STOP=1 --no-psqlrc --username=postgres --dbname=postgres --file="$script"
    done
    pg_ctl --wait --mode=fast stop
fi
exec "$@"
