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
