# Compressed answers: stored once per coding that was asked for; decoded if nobody asked for the coding or the page has ESI.
use Larder::Test;
use Compress::Zlib ();
use IO::Compress::Gzip ();
use IO::Uncompress::Gunzip qw(gunzip);
use MIME::Base64 qw(encode_base64);

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    gzip_min_length 1;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /asked { larder_encoding br gzip; proxy_pass http://@backend@; }
        location /zipped { gzip on; gzip_vary on; proxy_pass http://@backend@; }
        location /auto { larder_esi auto; larder_encoding gzip; proxy_pass http://@backend@; }
        location /odd { larder_encoding odd; proxy_pass http://@backend@; }
        location /esi { larder_esi on; larder_encoding gzip; gzip on; proxy_pass http://@backend@; }
    }
CONF
my @gzip = ('Accept-Encoding' => 'deflate, gzip;q=0.8');
my $ask  = sub { my ($path, @headers) = @_; return $t->get($path, headers => [@headers]) };
my $shown = sub {
    my ($r) = @_;
    my ($coding, $body) = ($r->header('Content-Encoding') // 'plain', $r->body);
    if ($coding eq 'gzip') { my $coded = $body; gunzip(\$coded => \$body) or die }
    return "$coding: $body " . $r->larder;
};

$backend->set('/asked*' => {gzip => 'asked', body => 'page of {header:Accept-Encoding}', etag => '"v1"'});
is $shown->($ask->('/asked', @gzip)), 'gzip: page of gzip MISS', 'the backend is asked for the coding that the client takes';
is $shown->($ask->('/asked', 'Accept-Encoding' => 'x-gzip, *;q=0')), 'gzip: page of gzip HIT', '... and the answer is stored as it is';
is $shown->($ask->('/asked')), 'plain: page of  MISS', 'who takes none gets another';
is $shown->($ask->('/asked', 'Accept-Encoding' => 'gzip;q=0')), 'plain: page of  HIT', '... kept beside it';
is $ask->('/asked', @gzip)->header('Vary'), 'Accept-Encoding', 'caches behind us are told';
is $ask->('/asked', @gzip, 'If-None-Match' => '"v1"')->status, 304, 'a condition is answered';
is length($ask->('/asked', @gzip, Range => 'bytes=0-9')->body), 10, '... and a range, of the compressed page';
is $t->head('/asked', headers => [@gzip])->header('Content-Encoding'), 'gzip', '... and a HEAD';

$backend->set('/always*' => {gzip => 'always', body => 'zipped anyway', etag => '"v1"'});
for my $status ('MISS', 'HIT') {
    my $r = $ask->('/always');
    is $shown->($r), "plain: zipped anyway $status", "compressed though nobody asked: decoded, $status";
    is $r->header('ETag'), 'W/"v1"', '... under a weak ETag';
}
is $shown->($ask->('/zipped')), 'plain: /zipped render 1' . "\n MISS", 'with gzip on, a client that takes none';
is $shown->($ask->('/zipped', 'Accept-Encoding' => 'gzip')), 'gzip: /zipped render 1' . "\n HIT", '... and one that does, of one entry';

$backend->set('/esi' => {gzip => 'always', body => 'a<esi:include src="/esi/part"/>c'}, '/esi/part' => {gzip => 'always', body => 'b'});
for my $status ('MISS', 'HIT', 'HIT') {
    is $shown->($ask->('/esi')), "plain: abc $status", 'a compressed page of compressed fragments';
    is $shown->($ask->('/esi', 'Accept-Encoding' => 'gzip')), "gzip: abc $status", '... compressed again by nginx';
}
my @esi = (['Surrogate-Control', 'content="ESI/1.0", max-age=60']);
$backend->set('/auto' => {headers => \@esi, body => 'a<esi:include src="/auto/part"/>c'}, '/auto/part' => {gzip => 'always', body => 'b'});
for my $status ('MISS', 'HIT', 'HIT') {
    is $shown->($ask->('/auto', @gzip)), "plain: abc $status", 'a fragment is decoded though its page\'s client takes the coding';
}
is $shown->($ask->('/auto/part', @gzip)), 'gzip: b MISS', '... who gets it compressed when asking for it alone';
for my $status (200, 204, 301) {
    $backend->set('/nothing' => {status => $status, body => '', headers => [['Content-Encoding', 'gzip']]});
    my $r = $ask->("/nothing?$status");
    is $r->status . $r->body, $status, "$status without a body, though with a coding";
}
$backend->set('/cut' => {body => 'x', fault => 'truncate', headers => [['Content-Encoding', 'gzip']]});
is $ask->('/cut')->status, 502, 'a body that was promised and never came is an error';
$backend->set('/cut' => {body => 'good'});
is $ask->('/cut')->body, 'good', '... and not kept as an empty one';
$backend->set('/liar' => {body => 'not gzip', headers => [['Content-Encoding', 'gzip']]});
is $ask->('/liar')->status, 502, 'a body that is not in its stated coding is an error';
$backend->set('/liar' => {body => 'good'});
is $ask->('/liar')->body, 'good', '... and not kept';
$backend->set('/strange' => {body => 'x', headers => [['Content-Encoding', 'snappy']]});
like $ask->('/strange')->header('Cache-Status'), qr/detail=content-encoding/, 'a coding that nobody knows is passed on, and not kept';

# Spellings of a coding.
my $coded = sub { my ($path, $coding, $bytes, %more) = @_; $backend->set($path => {base64 => encode_base64($bytes, ''), headers => [['Content-Encoding', $coding], @{$more{headers} || []}]}) };
my $member = sub { my ($text) = @_; IO::Compress::Gzip::gzip(\$text => \my $zipped) or die; return $zipped };
my %looks = (
    'two gzip members'                 => ['gzip', $member->('one ') . $member->('two')],
    'a gzip member, padded with zeros' => ['gzip', $member->('one two') . "\0" x 100],
    'deflate in the zlib format'       => ['deflate', Compress::Zlib::compress('one two')],
    'deflate without it'               => ['deflate', do { my $d = Compress::Zlib::deflateInit(-WindowBits => -15); $d->deflate('one two') . $d->flush }],
);
for my $look (sort keys %looks) {
    (my $path = "/looks/$look") =~ s/ /-/g;
    $coded->($path, @{$looks{$look}});
    is $shown->($ask->($path)), "plain: one two $_", "$look: $_" for 'MISS', 'HIT';
}

# Digests are of exact bytes: those of a coded body don't apply to the decoded one.
my @digests = (['Content-MD5', 'x'], ['Digest', 'md5=x'], ['Content-Digest', 'md5=:x:'], ['Repr-Digest', 'md5=:x:']);
my $digests = sub { my ($r) = @_; join ' ', map { $_->[0] } grep { defined $r->header($_->[0]) } @digests };
$coded->('/digest/coded', 'gzip', $member->('page'), headers => \@digests);
$backend->set('/digest/plain' => {body => 'page', headers => \@digests},
    '/esi-digest' => {body => '<esi:include src="/esi-digest/part"/>', headers => \@digests}, '/esi-digest/part' => {body => 'b'},
    '/esi-digest/plain' => {body => 'no markup', headers => \@digests});
for my $status ('MISS', 'HIT') {
    is $digests->($ask->('/digest/coded')), '', "digests go when a body is decoded: $status";
    is $digests->($ask->('/digest/plain')), 'Content-MD5 Digest Content-Digest Repr-Digest', "... and stay when it is not: $status";
    is $digests->($ask->('/esi-digest')), '', "... go when fragments are put in: $status";
    is $digests->($ask->('/esi-digest/plain')), 'Content-MD5 Digest Content-Digest Repr-Digest', "... and stay in a page without any: $status";
}
is $digests->($ask->('/digest/plain', Range => 'bytes=0-1')), 'Digest Repr-Digest', 'a range has only the digests of the whole representation';

# A coding that Larder can't decode is stored as it is if the client asked for it by name.
$backend->set('/odd' => {body => '{header:Accept-Encoding}', headers => [['Content-Encoding', 'odd']]});
is $shown->($ask->('/odd', 'Accept-Encoding' => 'gzip, odd')), "odd: odd $_", "a coding of the operator's: $_" for 'MISS', 'HIT';

# A fragment that is not in the coding it states.
$backend->set('/esi/broken' => {body => 'a<esi:include src="/esi/liar" onerror="continue"/>c<esi:include src="/esi/liar" alt="/esi/part"/>d'},
    '/esi/liar' => {body => 'not gzip', headers => [['Content-Encoding', 'gzip']]});
is $ask->('/esi/broken')->body, 'acbd', "a fragment with a broken coding fails alone: $_" for 1 .. 2;

done_testing;
