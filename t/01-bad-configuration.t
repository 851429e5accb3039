# Each mistake in the configuration is refused by `nginx -t`, which names file, line, the value and what would be legal.
use Larder::Test;

my $t = Larder::Test->new;
my $zone = "larder_zone 8m;\n";

# [what is wrong, http { } part whose mistake is in its last line, what the message must say]
my @mistakes = (
    ['unknown store', "${zone}server { location / {\nlarder nowhere;\n", qr/"nowhere".*larder_store/],
    ['zone too small', "larder_zone 4k;\n", qr/"4k".*from 1m/],
    ['zone of no size', "larder_zone much;\n", qr/"much".*from 1m/],
    ['two zones', "${zone}larder_zone 8m;\n", qr/duplicate/],
    ['duplicate store', "larder_store a redis://127.0.0.1:1;\nlarder_store a redis://127.0.0.1:2;\n", qr/"a".*duplicate|duplicate.*"a"/],
    ['store named like a keyword', "larder_store off redis://127.0.0.1:1;\n", qr/"off"/],
    ['unknown scheme of a store', "larder_store a http://127.0.0.1:1;\n", qr{"http://127.0.0.1:1".*redis://}],
    ['store without host', "larder_store a redis://;\n", qr{"redis://"}],
    ['port out of range', "larder_store a redis://127.0.0.1:99999;\n", qr{99999}],
    ['unknown store parameter', "larder_store a redis://127.0.0.1:1 colour=red;\n", qr/"colour=red".*(?:prefix|timeout)/],
    ['bad store timeout', "larder_store a redis://127.0.0.1:1 timeout=soon;\n", qr/"soon".*1ms/],
    ['bad daemon', "larder_daemon ftp://x;\n", qr{"ftp://x".*(?:unix:|redis://)}],
    ['bad time', "${zone}server { location / {\nlarder_valid 1parsec;\n", qr/"1parsec".*30s/],
    ['bad status', "${zone}server { location / {\nlarder_valid 99 1m;\n", qr/"99".*200 to 599/],
    ['unknown stale parameter', "${zone}server { location / {\nlarder_stale sometimes;\n", qr/"sometimes".*(?:while|never)/],
    ['bad stale time', "${zone}server { location / {\nlarder_stale while=x;\n", qr/"while=x".*30s/],
    ['contradiction in stale', "${zone}server { location / {\nlarder_stale never while=1m;\n", qr/never alone/],
    ['unknown cookie mode', "${zone}server { location / {\nlarder_cookie a sideways;\n", qr/"sideways".*(?:value|presence)/],
    ['cookie twice', "${zone}server { location / {\nlarder_cookie a value;\nlarder_cookie a presence;\n", qr/"a".*duplicate|duplicate.*"a"/],
    ['cookie pattern', "server { location / {\nlarder_cookie a*b* value;\n", qr/"a\*b\*".*one \*/],
    ['buckets', "server { location / {\nlarder_cookie a bucket=1;\n", qr/"bucket=1".*2 to 10000/],
    ['option of another class', "server { location / {\nlarder_cookie a presence allow=x;\n", qr/"allow=x".*for value/],
    ['empty value', "server { location / {\nlarder_cookie a value allow=x,,y;\n", qr/"allow=x,,y".*a,b,c/],
    ['pattern of values', "server { location / {\nlarder_cookie a value allow=~(;\n", qr/in "\("/],
    ['private without a key', "server { location / {\nlarder_cookie a private;\n", qr/larder_signing_key/],
    ['age of a signature', "larder_signing_key 0123456789abcdef;\nserver { location / {\nlarder_cookie a signed max_age=old;\n", qr/"max_age=old".*30s/],
    ['short signing key', "larder_signing_key secret;\n", qr/6 characters.*16/],
    ['framework', "server { location / {\nlarder_cookie_preset cobol;\n", qr/"cobol".*django/],
    ['own line twice beside a preset', "server { location / {\nlarder_cookie_preset django;\nlarder_cookie sessionid bypass;\nlarder_cookie sessionid presence;\n", qr/duplicate.*"sessionid"/],
    ['bucket of a session', "server { location / {\nlarder_cookie _shop_session bucket=4;\n", qr/"_shop_session".*"bucket=4".*presence/],
    ['default of a session', "server { location / {\nlarder_cookie PHPSESSID value default=1;\n", qr/"PHPSESSID".*default=.*presence/],
    ['unknown audience', "server { location / {\nlarder_audience nobody;\n", qr/"nobody".*everybody/],
    ['header parameter', "server { location / {\nlarder_header X-A maybe;\n", qr/"maybe".*value=/],
    ['language', "server { location / {\nlarder_language en de_CH;\n", qr/"de_CH".*de-CH/],
    ['content coding', "server { location / {\nlarder_encoding gzip identity;\n", qr/"identity".*gzip, br/],
    ['group without a path', "server { location / {\nlarder_group group cookie=a;\n", qr{"group".*begins with /}],
    ['group without a cookie', "server { location / {\nlarder_group /g valid=1m;\n", qr/needs cookie=NAME/],
    ['group without a key', "server { location / {\nlarder_group /g cookie=a;\n", qr/larder_signing_key/],
    ['group parameter', "server { location / {\nlarder_group /g ttl=1m;\n", qr/"ttl=1m".*valid=TIME/],
    ['time of a group', "server { location / {\nlarder_group /g timeout=1h;\n", qr/"timeout=1h".*1ms to 10m/],
    ['cookie of a group', "larder_signing_key 0123456789abcdef;\nserver { location / {\nlarder_group /g cookie=a cookie=a;\n", qr/duplicate.*"a"/],
    ['vary', "server { location / {\nlarder_vary maybe;\n", qr/"maybe".*key \[max/],
    ['most variants', "server { location / {\nlarder_vary key max=0;\n", qr/"max=0".*1 to 10000/],
    ['unknown query mode', "${zone}server { location / {\nlarder_query shuffle;\n", qr/"shuffle".*(?:keep|drop|sort|none)/],
    ['query keep of nothing', "${zone}server { location / {\nlarder_query keep;\n", qr/keep/],
    ['unknown ESI mode', "${zone}server { location / {\nlarder_esi maybe;\n", qr/"maybe".*auto/],
    ['ESI depth out of range', "${zone}server { location / {\nlarder_esi on depth=1000;\n", qr/"1000".*1 to 32/],
    ['ESI depth 0', "${zone}server { location / {\nlarder_esi on depth=0;\n", qr/"0".*1 to 32/],
    ['ESI includes out of range', "${zone}server { location / {\nlarder_esi on includes=1000000;\n", qr/"1000000".*1 to 4096/],
    ['ESI size out of range', "${zone}server { location / {\nlarder_esi on size=1000g;\n", qr/"1000g".*1k to/],
    ['ESI timeout', "${zone}server { location / {\nlarder_esi on timeout=late;\n", qr/"late".*1ms/],
    ['ESI total', "${zone}server { location / {\nlarder_esi on total=never;\n", qr/"never".*1ms to 1h/],
    ['ESI output', "${zone}server { location / {\nlarder_esi on output=1;\n", qr/"1".*1k to 1g/],
    ['ESI memory', "${zone}server { location / {\nlarder_esi on memory=100k;\n", qr/"100k".*1m to 4096m/],
    ['path of includes', "${zone}server { location / {\nlarder_esi_include fragments;\n", qr/"fragments".*beginning of a path/],
    ['cookie of fragments', "server { location / {\nlarder_esi_set_cookie a=b;\n", qr/"a=b"/],
    ['unknown ESI parameter', "${zone}server { location / {\nlarder_esi on speed=1;\n", qr/"speed=1".*depth/],
    ['CSRF mode', "server { location / {\nlarder_csrf maybe;\n", qr/"maybe".*on or off/],
    ['CSRF parameter', "server { location / {\nlarder_csrf on color=red;\n", qr/"color=red".*cookie=NAME/],
    ['CSRF cookie', "server { location / {\nlarder_csrf on cookie=a=b;\n", qr/"a=b"/],
    ['CSRF path', "server { location / {\nlarder_csrf on path=x;\n", qr{"x".*begins with /}],
    ['CSRF domain', "server { location / {\nlarder_csrf on \"domain=a;b\";\n", qr/"a;b".*example\.com/],
    ['CSRF secure', "server { location / {\nlarder_csrf on secure=maybe;\n", qr/"secure=maybe".*secure=auto/],
    ['CSRF site', "server { location / {\nlarder_csrf on samesite=lax;\n", qr/"samesite=lax".*Lax/],
    ['CSRF contradiction', "server { location / {\nlarder_csrf on samesite=None secure=off;\n", qr/refuse such a cookie/],
    ['CSRF age', "server { location / {\nlarder_csrf on age=long;\n", qr/"age=long".*30s/],
    ['unknown near parameter', "larder_store a redis://127.0.0.1:1;\n${zone}server { location / {\nlarder a near=maybe;\n", qr/"near=maybe".*near=off/],
    ['trust where it caches', "${zone}server { location / {\nlarder near trust;\n", qr/"trust".*after off/],
    ['revalidate', "server { location / {\nlarder_revalidate maybe;\n", qr/"maybe".*keep=TIME/],
    ['revalidate off with a time', "server { location / {\nlarder_revalidate off keep=1d;\n", qr/"off".*on \[keep/],
    ['time to keep', "server { location / {\nlarder_revalidate on keep=x;\n", qr/"keep=x".*30s/],
    ['percents', "server { location / {\nlarder_heuristic 10;\n", qr/"10".*1% to 100%/],
    ['no percents', "server { location / {\nlarder_heuristic \"\";\n", qr/"".*1% to 100%/],
    ['longest heuristic lifetime', "server { location / {\nlarder_heuristic 10% max=x;\n", qr/"max=x".*30s/],
    ['cookie to strip', "server { location / {\nlarder_strip_set_cookie a=b;\n", qr/"a=b".*name/],
    ['targeted field', "server { location / {\nlarder_targeted CDN;\n", qr/"CDN".*CDN-Cache-Control/],
    ['status that is no error', "server { location / {\nlarder_error_status 5xx 304;\n", qr/"304".*400 to 599/],
    ['class of errors', "server { location / {\nlarder_error_status render=4xx;\n", qr/"render=4xx".*5xx/],
    ['authorization', "server { location / {\nlarder_authorization on;\n", qr/"on".*bypass or shared/],
    ['csp nonce', "server { location / {\nlarder_csp_nonce allow;\n", qr/"allow".*refuse or keep/],
    ['invalidate', "server { location / {\nlarder_invalidate hard;\n", qr/"hard".*soft/],
    ['lock of the store', "server { location / {\nlarder_lock 1s store=maybe;\n", qr/"store=maybe".*store=off/],
    ['bad lock', "server { location / {\nlarder_lock loose;\n", qr/"loose".*off/],
    ['header that cannot be kept', "server { location / {\nlarder_header Cookie;\n", qr/"cookie".*larder_cookie/],
    ['bad size', "server { location / {\nlarder_max_size fat;\n", qr/"fat".*512m/],
    ['short purge token', "server { location / {\nlarder_purge token=short;\n", qr/"token=short".*16/],
    ['request directive', "server { location / {\nlarder_request_control max-age s-maxage;\n", qr/"s-maxage".*on or off alone.*only-if-cached/],
    ['on beside names', "server { location / {\nlarder_request_control on no-cache;\n", qr/"on".*on or off alone/],
    ['only a condition', "server { location / {\nlarder_request_control if=\$http_a;\n", qr/if= needs on/],
    ['unknown refresh', "${zone}server { location / {\nlarder_refresh later;\n", qr/"later".*(?:daemon|inline|off)/],
);

for my $mistake (@mistakes) {
    my ($name, $config, $message) = @$mistake;
    my $line = () = $config =~ /\n/g;
    my $closing = '}' x ((() = $config =~ /\{/g) - (() = $config =~ /\}/g));
    my ($code, $said) = $t->nginx_test($config . $closing . "\n");
    subtest $name => sub {
        isnt $code, 0, 'refused' or return;
        like $said, $message, 'names the value and what is legal';
        like $said, qr/ in conf:$line$/m, 'names the line';
    };
}

done_testing;
