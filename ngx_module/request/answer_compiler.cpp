// Connects the ESI compiler with nginx's configuration and log.
#include "ngx_module/request/answer_compiler.hpp"

#include "edge_includes/page_functions.hpp"
#include "edge_includes/plan/plan.hpp"
#include "ngx_module/text.hpp"
#include "ngx_module/turn.hpp"

namespace larder::ngx {

esi::CompileOptions compile_options(ngx_http_request_t* r, const LocConf& conf) {
    esi::CompileOptions options;
    options.limits.document_bytes = conf.esi.value().size;
    options.limits.work = esi::compile_work(conf.esi.value().size);
    options.limits.includes = conf.esi.value().includes;
    options.host_functions = esi::page_functions;
    options.syntax = esi::syntax_of(view(r->headers_out.content_type));
    return options;
}

void log_report(ngx_http_request_t* r, const esi::Report& report) {
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: ESI of \"%V\", line %uD: %s", &r->uri, report.line,
                  report.text.c_str());
}

AnswerCompiler::AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document)
    : request_(r),
      conf_(conf),
      document_(document),
      options_(compile_options(r, conf)),
      compiler_(std::make_unique<esi::StepwiseCompiler>(document, options_)) {}

AnswerCompiler::AnswerCompiler(ngx_http_request_t* r, const LocConf& conf, std::string_view document, std::string plan)
    : request_(r), conf_(conf), document_(document), options_(compile_options(r, conf)), has_plan_(true), plan_(std::move(plan)) {
    next_part();
}

bool AnswerCompiler::run() {
    while (!done() && !turn_is_over()) step();
    return done();
}

void AnswerCompiler::run_to_end() {
    while (!done()) step();
}

void AnswerCompiler::step() {
    spend_turn(compiler_->step());
    if (!compiler_->done()) return;
    esi::CompileResult result = std::move(compiler_->result());
    log_result(result);
    if (has_plan_)
        part_plans_.push_back(std::move(result.plan));
    else
        plan_ = std::move(result.plan);
    has_plan_ = true;
    next_part();
}

void AnswerCompiler::next_part() {
    compiler_.reset();
    if (plan_.empty()) return;
    esi::PlanView plan = esi::PlanView::trusted(plan_);
    if (part_plans_.size() == plan.inline_count()) return;
    esi::Inline part = plan.inline_fragment(static_cast<std::uint32_t>(part_plans_.size()));
    compiler_ = std::make_unique<esi::StepwiseCompiler>(document_.substr(part.offset, part.length), options_);
}

void AnswerCompiler::log_result(const esi::CompileResult& result) const {
    for (const esi::Report& report : result.reports) log_report(request_, report);
    if (result.too_large)
        ngx_log_error(NGX_LOG_ERR, request_->connection->log, 0,
                      "larder: \"%V\" is larger than larder_esi size=%uz: sent as it is", &request_->uri, conf_.esi.value().size);
}

}  // namespace larder::ngx
