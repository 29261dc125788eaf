# Makes a throw-away PostgreSQL server in the folder $1 and removes both when standard input ends.
# $2 is put at the end of its settings. With $3, a connection string, it is a standby of that server.
#
# Standard input is a pipe that the test process holds: the kernel closes it however that process ends, so not
# even kill -9 leaves a server behind. Its lines are "start" and "stop MODE" (of pg_ctl); each is answered by a
# line on standard output, "done" or why not.
#
# Crash safety is off: nothing here outlives the tests. So is autovacuum: databases live for seconds, and its
# workers would look through each of them.

dir=$1 settings=$2 primary=$3
# When the tests end before the answer is written, writing it must not end us before the clean-up.
trap '' PIPE

# The first of: the path, pg_config's answer, the newest in the places of Debian, Red Hat and Homebrew.
find_binaries() {
    for bin in "$(dirname "$(readlink -f "$(command -v initdb)")")" "$(pg_config --bindir)" \
        $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
            /usr/local/opt/postgresql@*/bin | sort --version-sort --reverse); do
        if [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] && [ -x "$bin/postgres" ]; then
            return 0
        fi
    done
    return 1
}

init() {
    rm -rf "$dir/data"
    "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale="$1" --no-sync
}

copy() {
    "$bin/pg_basebackup" --pgdata="$dir/data" --dbname="$primary" --wal-method=stream --checkpoint=fast \
        --write-recovery-conf --no-sync
}

configure() {
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 200
max_prepared_transactions = 0
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 1GB
wal_init_zero = off
wal_recycle = off
autovacuum = off
$settings
CONF
}

# Standard input is not the server's.
control() {
    "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/server.log" --wait "$@" </dev/null >>"$dir/setup.log" 2>&1
}

problem=
if ! find_binaries 2>>"$dir/setup.log"; then
    problem="no PostgreSQL server binaries (initdb, pg_ctl, postgres) on this machine; install them with \
'apt-get install postgresql', 'dnf install postgresql-server' or 'brew install postgresql@17'"
elif [ -n "$primary" ]; then
    copy >>"$dir/setup.log" 2>&1 && configure
elif { init C.UTF-8 || init C; } >>"$dir/setup.log" 2>&1; then
    configure
fi

while read -r command mode; do
    if [ -n "$problem" ]; then
        echo "$problem"
    elif control "$command" ${mode:+--mode="$mode"}; then
        echo done
    else
        echo "the test server does not $command:" $(tail -n 20 "$dir/setup.log" "$dir/server.log" 2>&1)
    fi
done

control stop --mode=immediate
rm -rf "$dir"
