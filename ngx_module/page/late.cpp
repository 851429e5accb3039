// Each placeholder has a script of its own, so that it needs nothing else in the page. Where the page forbids inline
// scripts, the link remains.
#include "ngx_module/page/late.hpp"

namespace larder::ngx {

namespace {

constexpr std::string_view script =
    "<script>(function(e){fetch(e.href,{credentials:'same-origin'}).then(function(r){return "
    "r.ok?r.text():Promise.reject()})"
    ".then(function(t){e.replaceWith(document.createRange().createContextualFragment(t))})"
    "})(document.currentScript.previousElementSibling)</script>";

std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '<')
            out += "&lt;";
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string late_placeholder(std::string_view target) {
    return "<a class=\"larder-late\" href=\"" + escaped(target) + "\">\u2026</a>" + std::string(script);
}

}  // namespace larder::ngx
