// Compiles ESI documents into plans.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge_includes/compile.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// Options for compiling r's answer, or a part of it.
esi::CompileOptions compile_options(ngx_http_request_t* r, const LocConf& conf);
void log_report(ngx_http_request_t* r, const esi::Report& report);

// Compiles r's answer step by step: the document itself, then its named parts (<esi:inline>). Logs errors in the
// markup.
class AnswerCompiler {
public:
    // `document` must not change or move until everything is compiled.
    AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document);
    // For a document whose plan exists already: compiles only its named parts.
    AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document, std::string plan);

    // Compiles for as long as this turn of the event loop allows. Returns false if there is more to do.
    bool run();
    void run_to_end();

    const std::string& plan() const { return plan_; }  // empty: no ESI in the document, or it is too large
    const std::vector<std::string>& part_plans() const { return part_plans_; }

private:
    bool done() const { return compiler_ == nullptr; }
    void step();
    void next_part();
    void log_result(const esi::CompileResult& result) const;

    ngx_http_request_t* request_;
    const LocConf& conf_;
    std::string_view document_;
    const esi::CompileOptions options_;
    std::unique_ptr<esi::StepwiseCompiler> compiler_;  // of the document, then of each part; null: done
    bool has_plan_ = false;
    std::string plan_;
    std::vector<std::string> part_plans_;
};

}  // namespace larder::ngx
