// Larder's places in nginx's two filter chains: the header filter runs before all others; the body filter runs right after the
// filters that bring bodies into memory.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

extern ngx_http_output_header_filter_pt next_header_filter;
extern ngx_http_output_body_filter_pt next_body_filter;
void install_header_filter();
void install_body_filter();

}  // namespace larder::ngx
