# eintr.pl PORT: an HTTP server of one thread. /SECONDS waits in every way that perl has, computing
# between, and says what was interrupted or ended early.
use strict;
use warnings;
use Errno qw(EINTR);
use IO::Socket::INET;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 16, ReuseAddr => 1)
	or die "eintr.pl: $!\n";

sub waits {
	my ($seconds) = @_;
	my (%wrong, $tried);
	pipe(my $reader, my $writer) or die "eintr.pl: $!\n";
	my $bits = '';
	vec($bits, fileno($reader), 1) = 1;
	my %ways = (
		'select for a time' => sub { select(undef, undef, undef, 0.002) },
		'select for a pipe' => sub { select(my $ready = $bits, undef, undef, 0.002) },
		'Time::HiRes::sleep' => sub { Time::HiRes::sleep(0.002) >= 0.002 ? 0 : -1 },
		'Time::HiRes::usleep' => sub { Time::HiRes::usleep(2000) >= 2000 ? 0 : -1 },
		'sleep' => sub { sleep(1) >= 1 ? 0 : -1 },
	);
	my $stop = clock_gettime(CLOCK_MONOTONIC) + $seconds;
	for (my $round = 0; clock_gettime(CLOCK_MONOTONIC) < $stop; $round++) {
		for my $name (sort keys %ways) {
			next if $name eq 'sleep' && $round % 100;
			my $sum = 0;
			$sum += $_ for 1 .. 20000;
			my $start = clock_gettime(CLOCK_MONOTONIC);
			$! = 0;
			my $result = $ways{$name}->();
			my $took = clock_gettime(CLOCK_MONOTONIC) - $start;
			$wrong{$name}++ if $result < 0 || $! == EINTR || $took < ($name eq 'sleep' ? 0.999 : 0.0019);
			$tried++;
		}
	}
	return join('', map("$_: $wrong{$_} wrong\n", sort keys %wrong)) . ($tried > 50 ? "tried enough\n" : "tried $tried\n");
}

while (my $client = $listener->accept) {
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		sysread($client, $head, 4096, length $head) or last;
	}
	next unless $head =~ m{^GET /([0-9.]+) };
	my $body = waits($1);
	syswrite($client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
	close $client;
}
