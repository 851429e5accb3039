# Whatever a store answers or fails to answer, the visitor gets the page: from the near cache or from the backend.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my @modes   = qw(silent garbage half wrong huge deep close slow foreign error);

for my $mode (@modes) {
    $t->store_fake($mode, name => "store_$mode");
    my ($stores, $locations) = ('', '');
    for my $scheme (qw(redis memcached)) {
        $stores    .= "larder_store $scheme $scheme://\@store_$mode\@ timeout=100ms;\n";
        $locations .= "location /$scheme/ { larder $scheme; proxy_pass http://\@backend\@; }\n";
        $locations .= "location /$scheme/only/ { larder $scheme near=off; proxy_pass http://\@backend\@; }\n";
    }
    my $nginx = $t->nginx("larder_zone 8m; larder_valid 1m; $stores server { listen \@$mode\@; $locations }", name => $mode, workers => 2);
    for my $scheme (qw(redis memcached)) {
        my $path    = "/$scheme/page-$mode";
        my @answers = map { $nginx->get($path) } 1 .. 2;
        is_deeply [map { $_->status } @answers], [200, 200], "$scheme $mode: pages";
        is $answers[1]->body, "$path render 1\n", "$scheme $mode: ... the second from the near cache";
        my @at_once = $nginx->many(20, sub { {path => "/$scheme/only/$mode-" . $_[0] % 5} });
        is scalar(grep { $_->status == 200 && $_->complete } @at_once), 20, "$scheme $mode: many at once, without near cache";
    }
}

done_testing;
