# Whatever a store says or leaves unsaid, the visitor gets the page: from the near cache, else from the backend.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my @modes   = qw(silent garbage half wrong huge deep close slow foreign error);

my ($stores, $locations) = ('', '');
for my $mode (@modes) {
    $t->store_fake($mode, name => "store_$mode");
    for my $scheme (qw(redis memcached)) {
        my $name = "${scheme}_$mode";
        $stores    .= "larder_store $name $scheme://\@store_$mode\@ timeout=100ms;\n";
        $locations .= "location /$scheme/$mode/ { larder $name; proxy_pass http://\@backend\@; }\n";
        $locations .= "location /$scheme/$mode/only/ { larder $name near=off; proxy_pass http://\@backend\@; }\n";
    }
}
$t->nginx("larder_zone 16m; larder_valid 1m; $stores server { listen \@nginx\@; $locations }", workers => 2);

for my $scheme (qw(redis memcached)) {
    for my $mode (@modes) {
        my $path   = "/$scheme/$mode/page";
        my @answers = map { $t->get($path) } 1 .. 2;
        is_deeply [map { $_->status } @answers], [200, 200], "$scheme $mode: pages";
        is $answers[1]->body, "$path render 1\n", "$scheme $mode: ... the second from the near cache";
        my @at_once = $t->many(20, sub { {path => "/$scheme/$mode/only/" . $_[0] % 5} });
        is scalar(grep { $_->status == 200 && $_->complete } @at_once), 20, "$scheme $mode: many at once, without near cache";
    }
}

done_testing;
