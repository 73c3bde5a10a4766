# On a node, in a container that reaches its engine: removes images of a project, and ended containers that only they are kept for.
#
#   swarm-drop.sh START REFERENCE...      what names of the project's images begin with, and those that are needed
#
# Prints "node NAME IMAGES BYTES".
set -eu

# shellcheck disable=SC2016  # Perl's variables; its socket module is in perl-base, which every Debian has
exec perl -MIO::Socket::UNIX -e '
    my ($start, @needed) = @ARGV;
    my %needed = map { $_ => 1 } @needed;
    sub engine {
        my ($verb, $path) = @_;
        my $socket = IO::Socket::UNIX->new(Peer => "/var/run/docker.sock") or die "the engine cannot be asked: $!\n";
        print $socket "$verb $path HTTP/1.0\r\n\r\n";
        my $answer = join "", <$socket>;
        my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)};
        $answer =~ s/.*?\r\n\r\n//s;
        return ($status, $answer);
    }
    sub layers { return (engine("GET", "/system/df?type=image"))[1] =~ /"LayersSize":(\d+)/ ? $1 : 0 }
    my %seen;
    my @found = (engine("GET", "/images/json"))[1] =~ m{"(\Q$start\E[^"\@]+\@sha256:[0-9a-f]{64})"}g;
    my @spare = grep { !$needed{$_} && !$seen{$_}++ } @found;
    my $before = @spare ? layers() : 0;
    my $gone = 0;
    for my $image (@spare) {
        my $ended = qq({"ancestor":["$image"],"status":["exited","dead"],"label":["com.docker.swarm.service.id"]});
        $ended =~ s/([^A-Za-z0-9])/sprintf "%%%02X", ord $1/ge;
        my $containers = (engine("GET", "/containers/json?all=1&filters=$ended"))[1];
        engine("DELETE", "/containers/$_") for $containers =~ /"Id":"([0-9a-f]{64})"/g;
        $gone++ if (engine("DELETE", "/images/$image"))[0] == 200;
    }
    printf "node %s %d %d\n", $ENV{NODE}, $gone, @spare ? $before - layers() : 0;
' "$@"
