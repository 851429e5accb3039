# What a visitor sends with a page is for the page only. A fragment, a group's lookup, and any other subrequest that is sent in
# reduced form is a GET without a body: it carries no byte of the visitor's body and none of the fields that describe the
# visitor's request or connection. Otherwise a body could be read as the next request on a kept connection.
use Larder::Test;
use JSON::PP qw(decode_json);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $uwsgi   = $t->uwsgi;
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', 2,
    '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_valid 1m;
    upstream site { server @backend@; keepalive 4; }
    ssl_certificate @dir@/cert.pem;
    ssl_certificate_key @dir@/key.pem;
    map $http_x_http_method_override $override { default $http_x_http_method_override; "" none; }
    server {
        listen @nginx@;
        listen @tls@ ssl http2;
        server_name site;
        underscores_in_headers on;
        larder near;
        larder_esi auto;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Connection "";
        location /kept/        { proxy_pass http://site; }
        location /private/     { proxy_pass http://site; }
        location /off/         { larder off; proxy_pass http://site; }
        location /body-on/     { proxy_pass_request_body on; proxy_pass_request_headers on; proxy_pass http://site; }
        location /set-body/    { proxy_set_body $request_body; proxy_pass http://site; }
        location /variables/   { proxy_set_header X-Length $content_length; proxy_set_header X-Type $content_type; proxy_set_header X-Body $request_body;
                                 proxy_set_header X-Override $override; proxy_set_header X-Range $http_range; proxy_set_header X-Target $request_uri; proxy_pass http://site; }
        location /unbuffered/  { proxy_request_buffering off; proxy_pass http://site; }
        location /in-file/     { client_body_in_file_only clean; proxy_set_header X-File $request_body_file; proxy_pass http://site; }
        location /ssi/         { ssi on; proxy_pass http://site; }
        location /after/       { add_after_body /kept/after; proxy_pass http://site; }
        location = /form       { proxy_set_header X-Seen "$content_length $content_type $request_body $override $http_range"; proxy_pass http://site; }
        location = /form-unbuffered { proxy_request_buffering off; proxy_pass http://site; }
        location = /form-in-file { client_body_in_file_only clean; proxy_set_header X-Seen $request_body_file; proxy_pass http://site; }
        location /grouped/     { larder_group /kept/group cookie=sid; proxy_pass http://site; }
        include /etc/nginx/uwsgi_params;
        include /etc/nginx/fastcgi_params;
        include /etc/nginx/scgi_params;
        location /uwsgi/       { uwsgi_pass @uwsgi@; }
        location /fastcgi/     { fastcgi_pass @uwsgi_fastcgi@; }
        location /scgi/        { scgi_pass @uwsgi_scgi@; }
        location /uwsgi-off/   { larder off; uwsgi_pass @uwsgi@; }
        location /fastcgi-off/ { larder off; fastcgi_pass @uwsgi_fastcgi@; }
        location /scgi-off/    { larder off; scgi_pass @uwsgi_scgi@; }
        location /uwsgi-variables/ { larder off; include /etc/nginx/uwsgi_params; uwsgi_param X_BODY $request_body; uwsgi_pass @uwsgi@; }
    }
CONF
$backend->set(
    '/*'         => {echo => 1},
    '/private/*' => {echo => 1, headers => [['Cache-Control', 'private']]},
);

# What a visitor's request says about itself and its connection.
my @fields = (
    'Content-Type' => 'text/plain', 'Content-Encoding' => 'identity', 'Content-Language' => 'de', 'Content-MD5' => 'x', 'Content-Range' => 'bytes 0-1/2', 'Digest' => 'x',
    'Content-Disposition' => 'x', 'If-None-Match' => '"x"', 'If-Match' => '*', 'If-Modified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT', 'If-Range' => '"x"', 'Accept-Encoding' => 'br', 'Range' => 'bytes=0-0',
    'X-HTTP-Method-Override' => 'DELETE', 'X_HTTP_METHOD_OVERRIDE' => 'DELETE', 'X-HTTP-Method' => 'DELETE', 'X-Method-Override' => 'DELETE',
    'TE' => 'trailers', 'Trailer' => 'X', 'Upgrade' => 'h2c', 'HTTP2-Settings' => 'x', 'Proxy-Connection' => 'x', 'Proxy-Authorization' => 'x', 'Keep-Alive' => 'x', 'X-Named' => 'x',
    'Expect' => '100-continue',
);
my $forbidden = join '|', qw(content-.* accept-encoding digest if-.* range x.http.method.* x.method.override te trailer upgrade http2.settings proxy-.* keep-alive x-named expect transfer-encoding);
my $evil = "GET /evil HTTP/1.1\r\nHost: site\r\nX-Swallow: ";
my ($n, @fragments) = 0;

# A page includes what is at these paths, and the request for it also sends $evil. Returns the requests that the backends saw
# for the fragments.
sub fragments {
    my ($form, $ask, @paths) = @_;
    $n++;
    @fragments = map {"$_$n"} @paths;
    $backend->set($form => {body => join('|', map {"<esi:include src=\"$_\"/>"} @fragments), headers => [['Surrogate-Control', 'content="ESI/1.0"'], ['Cache-Control', 'no-store']]});
    $backend->reset;
    return split /\|/, $ask->($form);
}
sub seen {
    my ($what, @seen) = @_;
    is scalar(@seen), scalar(@fragments), "$what: all fragments are there" or diag join "\n", @seen;
    for my $i (0 .. $#seen) {
        my $seen = eval { decode_json($seen[$i]) };
        if (!$seen) { fail "$fragments[$i]: $seen[$i]"; next; }
        my $environ = $seen->{environ};
        my ($method, $target, $body) = $environ ? @$environ{qw(REQUEST_METHOD REQUEST_URI CONTENT_LENGTH)} : @$seen{qw(method target body)};
        my %fields = $environ ? %$environ : map {@$_} @{$seen->{headers}};
        # A Content-Length of 0 may be sent.
        my @named = grep { /^(?:$forbidden)$/i } map { s/_/-/gr =~ s/^HTTP-//r } grep { $fields{$_} } keys %fields;
        is_deeply [$method, $target, $body || '', @named], ['GET', $fragments[$i], ''], "$what: $fragments[$i] is a GET of its own";
        is $fields{'X-Target'} // $target, $target, '... whose $request_uri is its own';
        my @told = grep { ($fields{$_} // '') !~ /^(?:|none)$/ } qw(X-Length X-Type X-Body X-Override X-Range X-File X_BODY);
        is_deeply \@told, [], '... whatever variables the configuration uses' if @told || $fragments[$i] =~ /variables|file/;
    }
    # The next request on the kept connections gets its own answer.
    is $t->get("/kept/victim-$n-$_", headers => [Host => 'site'])->status, 200, '... and the connections are clean' for 1 .. 2;
    is scalar(grep { $_->{path} eq '/evil' } $backend->log), 0, '... no byte of the body was taken for a request';
}

my @by_proxy  = map {"/$_/"} qw(kept private off body-on set-body variables unbuffered in-file);
my @by_others = map {"/$_/"} qw(uwsgi fastcgi scgi uwsgi-off fastcgi-off scgi-off uwsgi-variables);
my $post = sub { my (@o) = @_; sub { $t->post($_[0], $evil, headers => [@fields, Connection => 'close, X-Named', @o])->body } };
my $chunked = sub {
    my $request = "POST $_[0] HTTP/1.1\r\nHost: site\r\nConnection: close, X-Named\r\nTransfer-Encoding: chunked\r\n";
    for (my $i = 0; $i < @fields; $i += 2) { $request .= "$fields[$i]: $fields[$i + 1]\r\n" }
    my $answer = $t->raw($request . "\r\n" . sprintf("%x\r\n%s\r\n0\r\n\r\n", length $evil, $evil), 5);
    $answer =~ s/^.*?\r\n\r\n(?=[0-9a-f]+\r\n)//s;
    my $body = '';
    while ($answer =~ s/^([0-9a-f]+)\r\n//) { $body .= substr($answer, 0, hex $1, ''); $answer =~ s/^\r\n// }
    return $body;
};
my $http2 = sub {
    my ($form) = @_;
    my @headers = map { my $i = 2 * $_; $fields[$i] =~ /^(?:TE|Upgrade|HTTP2.*|Proxy.*|Keep.*|Expect|X-Named|X_.*)$/i ? () : ('-H', "$fields[$i]: $fields[$i + 1]") } 0 .. $#fields / 2;
    my ($code, $said) = $t->run_command(['curl', '-sS', '-k', '--http2', '--data-binary', $evil, @headers, 'https://' . $t->address('tls') . $form]);
    return $said;
};
for my $form ('/form', '/form-unbuffered', '/form-in-file') {
    seen("POST $form", fragments($form, $post->(), @by_proxy, @by_others));
    seen("POST $form, chunked", fragments($form, $chunked, @by_proxy, @by_others));
    seen("POST $form, HTTP/2", fragments($form, $http2, @by_proxy, @by_others));
}
my $get = sub { $t->get($_[0], headers => [@fields, Connection => 'close, X-Named'])->body };
seen('GET /form', fragments('/form', $get, @by_proxy, @by_others));

# A group's lookup, for a page that is requested with conditions; and the same for a refresh of it.
$t->get('/grouped/page', headers => [@fields, Cookie => 'sid=1', Connection => 'close, X-Named']);
my ($lookup) = grep { $_->{path} eq '/kept/group' } $backend->log;
is_deeply [grep { /^(?:$forbidden)$/i } map { $_->[0] } @{$lookup->{headers}}], [], 'a lookup of a group says nothing of the request it is for';

# nginx gives subrequests of other modules the visitor's body: in reduced form they state no length and send no body.
$backend->set('/ssi/page' => {body => '<!--# include virtual="/kept/by-ssi" -->'}, '/after/page' => {body => 'page '});
for my $page ('/ssi/page', '/after/page') {
    $backend->reset;
    $t->post($page, $evil);
    is $t->get("/kept/next-$_")->status, 200, "POST $page: the next request gets its answer" for 1 .. 3;
    my @bodies = map { $_->{body} } grep { $_->{path} ne $page } $backend->log;
    is scalar(grep { $_->{path} eq '/evil' } $backend->log), 0, '... no byte of the body was taken for a request';
    is_deeply [grep { $_ ne '' } @bodies], [], '... and stored answers were made without the visitor\'s body';
}

done_testing;
