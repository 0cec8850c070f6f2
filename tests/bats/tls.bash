# A certificate for servers that terminate TLS. Load it after helpers.

make_certificate() { # once a file
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
		-keyout "$BATS_FILE_TMPDIR/key.pem" -out "$BATS_FILE_TMPDIR/cert.pem" 2>/dev/null
	chmod a+r "$BATS_FILE_TMPDIR/key.pem"
}

use_certificate() {
	key=$BATS_FILE_TMPDIR/key.pem
	cert=$BATS_FILE_TMPDIR/cert.pem
}
