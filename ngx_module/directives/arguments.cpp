// Parses arguments of directives, by nginx's own parsers where it has them.
#include "ngx_module/directives/arguments.hpp"

#include <algorithm>
#include <cstring>

#include "cache/response/fields.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

char* refuse(ngx_conf_t* cf, const std::string& message) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", message.c_str());
    return static_cast<char*>(NGX_CONF_ERROR);
}

char* duplicate() {
    return const_cast<char*>("is duplicate");
}

std::vector<std::string_view> arguments(ngx_conf_t* cf) {
    std::vector<std::string_view> out;
    auto* values = static_cast<ngx_str_t*>(cf->args->elts);
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) out.push_back(view(values[i]));
    return out;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

std::optional<std::string_view> named(std::string_view argument, std::string_view name) {
    if (argument.size() <= name.size() || argument.substr(0, name.size()) != name ||
        argument[name.size()] != '=') {
        return std::nullopt;
    }
    return argument.substr(name.size() + 1);
}

std::optional<std::uint32_t> seconds(std::string_view text) {
    ngx_str_t value = str(text);
    ngx_int_t parsed = ngx_parse_time(&value, 1);
    if (parsed == NGX_ERROR || parsed > 0x7fffffff) return std::nullopt;
    return static_cast<std::uint32_t>(parsed);
}

std::optional<ngx_msec_t> milliseconds(std::string_view text, ngx_msec_t low, ngx_msec_t high) {
    ngx_str_t value = str(text);
    ngx_int_t parsed = ngx_parse_time(&value, 0);
    if (parsed == NGX_ERROR || static_cast<ngx_msec_t>(parsed) < low ||
        static_cast<ngx_msec_t>(parsed) > high) {
        return std::nullopt;
    }
    return static_cast<ngx_msec_t>(parsed);
}

std::optional<std::size_t> bytes(std::string_view text) {
    ngx_str_t value = str(text);
    ssize_t parsed = view(value).empty() ? NGX_ERROR : ngx_parse_size(&value);
    if (parsed == NGX_ERROR) {
        off_t large = ngx_parse_offset(&value);  // a size above 2 GiB, such as "2g"
        if (large == NGX_ERROR) return std::nullopt;
        return static_cast<std::size_t>(large);
    }
    return static_cast<std::size_t>(parsed);
}

std::optional<unsigned> number(std::string_view text, unsigned low, unsigned high) {
    auto value = parse_delta_seconds(text);
    if (!value || *value < low || *value > high) return std::nullopt;
    return static_cast<unsigned>(*value);
}

bool compile_value(ngx_conf_t* cf, std::string_view text, ngx_http_complex_value_t& value) {
    ngx_str_t source = copy(cf->pool, text);
    ngx_http_compile_complex_value_t compile{};
    compile.cf = cf;
    compile.value = &source;
    compile.complex_value = &value;
    return ngx_http_compile_complex_value(&compile) == NGX_OK;
}

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c > 0x20 && c < 0x7f && std::strchr("()<>@,;:\\\"/[]?={}", c) == nullptr;
    });
}

}  // namespace larder::ngx
