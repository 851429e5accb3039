// ESI documents become plans.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge_includes/compile.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// For documents that are r's answer, or part of it.
esi::CompileOptions compile_options(ngx_http_request_t* r, const LocConf& conf);
void log_report(ngx_http_request_t* r, const esi::Report& report);

// A document that is r's answer, or part of it, compiled bit by bit, with the parts of it that others include by their names
// (<esi:inline>). What is wrong in their markup is logged.
class AnswerCompiler {
public:
    // `document` must stay as it is until all is compiled.
    AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document);
    // For a document that has its plan already: only its parts are compiled.
    AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document, std::string plan);

    // Compiles for as long as this turn has room. False: there is more to do.
    bool run();
    void run_to_end();

    const std::string& plan() const { return plan_; }  // empty: there is no ESI in it, or it is too large
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
    std::unique_ptr<esi::StepwiseCompiler> compiler_;  // of the document, then of each part; null: all are compiled
    bool has_plan_ = false;
    std::string plan_;
    std::vector<std::string> part_plans_;
};

}  // namespace larder::ngx
