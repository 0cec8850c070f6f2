# OpenStack placement, as Debian packages it, on a SQLite database in the test's directory.
# Load it after helpers. The files of one setup are shared by all tests of a bats file.

PLACEMENT_API=/usr/bin/placement-api
UWSGI=(uwsgi --plugin "http,python3")

# placement_config DIR: configuration for a database in DIR; placement makes the tables at its start.
placement_config() {
	mkdir -p "$1"
	cat >"$1/placement.conf" <<-END
		[DEFAULT]
		debug = false
		[api]
		auth_strategy = noauth2
		[placement_database]
		connection = sqlite:///$1/placement.db
		sync_on_startup = true
	END
	export OS_PLACEMENT_CONFIG_DIR=$1
}

# placement_providers PORT COUNT: resource providers with inventories through the API. Their ids
# are the same at every run, so that answers can be compared byte for byte.
placement_providers() { "$PYTHON" "$TESTS/clients/placement_providers.py" "$1" "$2"; }

# placement_database DIR COUNT: a database with COUNT providers, made by a server without us.
placement_database() {
	placement_config "$1"
	local port
	port=$(free_port)
	spawn filler "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" \
		--wsgi-file "$PLACEMENT_API" --processes 1
	server_up filler "$port"
	placement_providers "$port" "$2"
	stop "$filler_pid"
}

provider_id() { printf '%08x-0000-4000-8000-%012x' "$1" "$1"; }

PLACEMENT_HEADERS=(--header "X-Auth-Token: admin" --header "OpenStack-API-Version: placement 1.39")

# placement_warm PORT LOG PROCESSES: one request after the other until each uwsgi process has served
# some. Placement's first requests must not come at once: oslo.log gives logging a lock of eventlet's,
# which native threads that wait for it at the same time break ("greenlet.error: cannot switch to a
# different thread"), with or without us; it is taken only where nothing was logged before.
placement_warm() {
	local port=$1 log=$2 processes=$3 path round
	for ((round = 0; round < 200; round++)); do
		for path in "" "/$(provider_id 0)" "/$(provider_id 0)/inventories"; do
			echo "/resource_providers$path"
		done | load_client --port "$port" "${PLACEMENT_HEADERS[@]}" >/dev/null
		# A process that has served 6 requests has most likely had each kind.
		[ "$(sed -nE 's/^\[pid: ([0-9]+)\|.*/\1/p' "$log" | sort | uniq -c | awk '$1 >= 6' | wc -l)" -lt "$processes" ] ||
			return 0
	done
	echo "not all of $processes processes served requests" >&2
	return 1
}
