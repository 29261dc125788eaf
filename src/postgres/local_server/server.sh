# Runs the private PostgreSQL server of the folder $2 until standard input ends.
#
# Standard input is a pipe that the loader holds and never writes to: the kernel closes it however the
# loader ends, so not even kill -9 leaves the server running. The first line on standard output is "ready",
# or the step that failed with the end of the log behind it. Everything in the folder is made here, as the
# server's user: root follows no path that this user could have turned elsewhere.
#
#   $1 PostgreSQL's binaries   $2 the folder   $3 the socket's folder   $4 the text of profile_loader.conf

bin=$1 dir=$2 socket=$3 settings=$4
umask 077
# What stops the loader (Ctrl-C, systemd, a closed terminal) must not stop the one that stops the server.
trap '' HUP INT TERM PIPE

fail() {
    echo "$1"
    tail -n 20 "$dir/server.log"
    exit 1
}

# The number keeps apart what a killed loader's script may still be writing. A crash in here leaves the
# folder, which the next start removes.
new=$dir/data.new.$$

init() {
    rm -rf "$dir"/data.new.*
    "$bin/initdb" --pgdata="$new" --username=postgres --auth-local=trust --auth-host=reject \
        --encoding=UTF8 --locale="$1" --data-checksums &&
        touch "$new/profile_loader.conf" &&
        echo "include_if_exists = 'profile_loader.conf'" >>"$new/postgresql.conf"
}

# The orphans of a killed server need a moment to notice; until then PostgreSQL refuses their memory.
start() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        "$bin/pg_ctl" --silent --pgdata="$dir/data" --log="$dir/server.log" --timeout=3600 start && return 0
        tail -n 5 "$dir/server.log" | grep -q 'pre-existing shared memory block' || return 1
        sleep 1
    done
    return 1
}

if ! { cd "$dir" && touch server.log; } 2>/dev/null; then
    echo unreachable
    exit 1
fi
exec 2>>server.log

if [ ! -d data ]; then
    { init C.UTF-8 || init C; } >>server.log || fail initdb
    [ ! -e data ] && mv "$new" data || fail initdb
fi
[ ! -L "$socket" ] && mkdir -p "$socket" && chmod 700 "$socket" || fail start
printf '%s' "$settings" >data/profile_loader.conf || fail start
start >>server.log || fail start

echo ready
read -r _
"$bin/pg_ctl" --silent --pgdata="$dir/data" --mode=fast --timeout=3600 stop >>server.log || fail stop

case $socket in
"$dir"/*) ;;
*) rmdir "$socket" ;;
esac
