// Decided from the plan alone: fragments are not there yet.
#include "ngx_module/page/page_header.hpp"

#include "edge_includes/plan/plan.hpp"
#include "ngx_module/page/form_token.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// What differs between visitors who ask for the same URL.
constexpr esi::Reads personal_reads = esi::reads_cookies | esi::reads_headers | esi::reads_address |
                                      esi::reads_host_names | esi::reads_form_token;

void remove_lifetime(ngx_http_request_t* r) {
    each_response_header(r, [](ngx_table_elt_t& header) {
        if (equals(header.key, "cache-control") || equals(header.key, "expires")) header.hash = 0;
    });
    r->headers_out.expires = nullptr;
#if nginx_version >= 1023000
    r->headers_out.cache_control = nullptr;
#else
    r->headers_out.cache_control.nelts = 0;
#endif
}

}  // namespace

void set_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan) {
    esi::Reads reads = plan.empty() ? esi::Reads{} : esi::PlanView::trusted(plan).reads();
    if ((reads & personal_reads) == 0) return;
    bool gives_cookie = (reads & esi::reads_form_token) != 0 && give_form_cookie(r, ctx);
    remove_lifetime(r);
    // A browser may show it again when going back, but asks anew otherwise: who logs in has another token.
    ngx_table_elt_t* header =
        gives_cookie ? add_response_header(r, ngx_string("Cache-Control"), ngx_string("private, no-store"))
                     : add_response_header(r, ngx_string("Cache-Control"), ngx_string("private, no-cache"));
    if (header == nullptr || !note_cache_control(r, header)) throw std::bad_alloc();
}

}  // namespace larder::ngx
