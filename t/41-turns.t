# Larder's work per turn of a worker's event loop is bounded, whatever the answers are and however many arrive at once.
use Larder::Test;
use Compress::Zlib;
use MIME::Base64;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 32m;
    larder_valid 10m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_encoding gzip;
        location / { proxy_pass http://@backend@; }
        location = /larder_status { larder off; larder_status; }
    }
CONF
my $most = 40_000;
sub coded   { return Compress::Zlib::memGzip($_[0]) }
sub include { return qq{<esi:include src="$_[0]" onerror="continue"/>} }

my $tags     = '<esi:vars>' x 90_000;
my $patterns = q{<esi:choose><esi:when test="'aaaaaaaaaa' matches '^(([a-z])+.)+[A-Z]([a-z])+$'">x</esi:when></esi:choose>} x 2000;
my $gzip     = [['Content-Encoding', 'gzip']];
my %hostile  = (
    markup      => {body => $tags},
    patterns    => {body => $patterns},
    raw         => {body => ('<esi:foreach collection="[1..1000]">' x 2) . 'x' x 1000 . ('</esi:foreach>' x 2)},
    lists       => {body => q{<esi:assign name="n" value="[1..1000]"/><esi:foreach collection="[1..1000]"><esi:assign name="n" value="$(n)+[1..1000]"/></esi:foreach>}},
    bomb        => {base64 => MIME::Base64::encode_base64(coded("\0" x (15 << 20)), ''), headers => $gzip},
    'bomb-part' => {body => join '', map { include("/bomb?$_") } 1 .. 10},
    several     => {body => join '', map { include("/markup?$_") } 1 .. 10},
    many        => {body => join '', map { include("/part?$_") } 1 .. 256},
    part        => {body => 'part'},
);
$backend->set(map { ("/$_" => $hostile{$_}) } keys %hostile);
$t->get('/part');
for my $name (grep { $_ ne 'part' } sort keys %hostile) {
    for my $status ('MISS', 'again') {
        ok $t->get("/$name")->complete, "$name: $status: an answer that ends";
        cmp_ok $t->counters->{larder_turn_work_max}, '<=', $most, '... and no turn had more work';
    }
}
my @names = grep { $_ ne "part" } sort keys %hostile;
my @all   = $t->many(scalar @names, sub { "/$names[$_[0]]?all" });
ok !(grep { !$_->complete } @all), 'all of them at once';
my $work = $t->counters->{larder_turn_work_max};
cmp_ok $work, '<=', $most, '... share the budget of turns';
cmp_ok $work, '>', 10_000, '... which they do use up';
is $t->get('/many')->body, 'part' x 256, 'a page of many fragments is whole';

done_testing;
