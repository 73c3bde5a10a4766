# Lets a machine join a cluster, by the engine's own interface: on a command line everybody here could read the token.
#
#   swarm-join.sh ADVERTISE MANAGER      the token comes on standard input
set -eu

# shellcheck disable=SC2016  # Perl's variables; its socket module is in perl-base, which every Debian has
exec perl -MIO::Socket::UNIX -e '
    my ($advertise, $manager) = @ARGV;
    chomp(my $token = <STDIN>);
    my $listen = $advertise =~ /:/ ? "[::]:2377" : "0.0.0.0:2377";
    my $body = qq({"ListenAddr":"$listen","AdvertiseAddr":"$advertise","RemoteAddrs":["$manager:2377"],"JoinToken":"$token"});
    my $engine = IO::Socket::UNIX->new(Peer => "/var/run/docker.sock") or die "the engine cannot be asked: $!\n";
    print $engine "POST /swarm/join HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
    my $answer = join "", <$engine>;
    exit 0 if $answer =~ m{^HTTP/1\.\d 200};
    $answer =~ s/.*?\r\n\r\n//s;
    die "$answer\n";
' "$1" "$2"
