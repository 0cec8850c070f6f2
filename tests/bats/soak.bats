# A short soak; `make soak` runs it as long as is wanted.
load helpers

@test "5,000 requests at saturation: all answers right, no file missing, no memory or descriptor left behind" {
	requires nginx uwsgi
	run -0 "$TESTS/soak.sh" requests 5000
	[[ $output == *"nginx  preloaded"*" requests"*"0 wrong"* ]]
	[[ $output == *"uwsgi  preloaded"*" requests"*"0 wrong"* ]]
}
