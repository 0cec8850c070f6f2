# tests/apps/routes.py for Plack: starman, plackup.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_PROCESS_CPUTIME_ID);

my $milliseconds = 6;

sub burn {
    my ($until) = @_;
    my $total = 0;
    while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID) < $until) {
        $total += $_ for 1 .. 2000;
    }
    return $total;
}

sub {
    my ($env) = @_;
    my ($route) = $env->{PATH_INFO} =~ m{^/r(\d+)/} or return [404, ['Content-Length' => 0], []];
    burn(clock_gettime(CLOCK_PROCESS_CPUTIME_ID) + $milliseconds / 1000);
    my $body = "route=$route path=$env->{PATH_INFO} pid=$$ tid=$$\n";
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => length $body], [$body]];
}
