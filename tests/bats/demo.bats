# make demo: the story of README, from an empty database to the hottest lines.
load helpers

@test "the demo profiles placement and ends with the lines of _serialize_links among the hottest" {
	requires perf uwsgi placement-api
	run -0 "$TESTS/demo.sh"
	is "" "$(grep -E 'Traceback|No such file' <<<"$output")"
	[[ $output == *"profiles written so far: 0"* ]]
	sed '1,/^The hottest lines/d' <<<"$output" | grep -qE '_serialize_links, placement/handlers/resource_provider.py:[0-9]+'
}
