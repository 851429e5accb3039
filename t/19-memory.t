# A body takes no more of a worker's memory than its limit allows: a larger one passes through, whatever its framing, and
# Cache-Status says so.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $server  = <<'CONF';
    larder_zone 16m;
    larder_valid 1m;
    larder_max_size 256k;
    larder_esi off;
    proxy_max_temp_file_size 0;
    server {
        listen @NAME@;
        sendfile off;
        location / { larder near; proxy_pass http://@backend@; }
        location /esi/ { larder near; larder_esi on size=256k; proxy_pass http://@backend@; }
        location /plain/ { proxy_pass http://@backend@; }
    }
CONF
my %nginx = map { my $name = $_; ($name => $t->nginx($server =~ s/NAME/$name/r, name => $name)) } qw(plain larder);

sub kilobytes { my ($pid, $what) = @_; my ($n) = Larder::Test->read_file("/proc/$pid/status") =~ /^$what:\s+(\d+) kB/m; return $n }
sub worker { return ($_[0]->workers)[0] }

my $large = 8 << 20;
$backend->set('/length' => {size => $large}, '/chunked' => {size => $large, chunked => 1}, '/closing' => {size => $large, until_close => 1},
    '/esi/page' => {size => $large, chunked => 1}, '/plain/page' => {size => $large});
# The same bodies with and without a cache: how much higher is a worker's peak memory?
my %peak;
for my $path (qw(/length /chunked /closing /esi/page)) {
    for my $name (qw(plain larder)) {
        my $asked = $name eq 'plain' ? '/plain/page' : $path;
        my @all = $nginx{$name}->many(20, sub { {path => "$asked?$_[0]"} });  # twenty pages, each captured up to the limit
        is scalar(grep { length $_->body == $large } @all), 20, "$name: $path passes through, twenty times at once";
        $peak{$name} = kilobytes(worker($nginx{$name}), 'VmHWM');
    }
    my $again = $nginx{larder}->get("$path?7");
    like $again->header('Cache-Status'), qr/fwd=bypass; detail=(?:not-storable|too-large)/, '... and is known to be too large';
    isnt $again->larder, 'HIT', '... and kept nowhere';
}
# Twenty captures of at most 256k each, twice that while a string grows, and the near cache's memory: far from 160 MB.
SKIP: {
    skip 'sanitizers keep freed memory', 1 if %{$t->_sanitizer_env('nginx')};
    cmp_ok $peak{larder} - $peak{plain}, '<', 20 * 2 * 256 + 16 * 1024, "at most the limit for each, beyond what nginx takes ($peak{plain} kB, with Larder $peak{larder} kB)";
}

done_testing;
