# A site on Rails, of one file, with Rails' own sessions (CookieStore), for Puma. For tests only.
#
# The environment: LARDER_SEEN names a file in which each request's Cookie field and target is a line.
require "action_controller/railtie"

class Site < Rails::Application
  config.root = File.dirname(__FILE__)
  config.eager_load = false
  config.secret_key_base = "of tests only" * 5
  config.session_store :cookie_store, key: "_shop_session"
  config.logger = Logger.new(nil)
  config.hosts.clear
end

class Seen
  def initialize(app) = @app = app

  def call(env)
    File.write(ENV.fetch("LARDER_SEEN"), "#{env["HTTP_COOKIE"] || "-"} #{env["REQUEST_URI"]}\n", mode: "a")
    @app.call(env)
  end
end

class PagesController < ActionController::Base
  def login
    session[:user] = params[:user]
    render plain: "welcome #{params[:user]}"
  end

  def logout
    reset_session
    render plain: "bye"
  end

  def page
    expires_in 60, public: true if request.path.start_with?("/kept")
    render plain: "#{request.path} #{session[:user] || "nobody"}"
  end
end

Site.config.middleware.insert_before 0, Seen
Site.initialize!
Site.routes.draw do
  get "/login", to: "pages#login"
  get "/logout", to: "pages#logout"
  get "*path", to: "pages#page"
end
run Site
