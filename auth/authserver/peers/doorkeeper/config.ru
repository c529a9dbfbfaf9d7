# Doorkeeper, the OAuth engine of GitLab, as a peer of the tests: Rails in one
# file, from Debian's packages. PORT says where it listens (its issuer names
# it), PEER_DIR where it may write, TTL how many seconds access tokens live.
# NONCE=0 leaves Doorkeeper's own consent page, which drops the nonce: a server
# whose ID tokens have none.
ENV["RAILS_ENV"] = "production"
port = Integer(ENV.fetch("PORT"))
dir = ENV.fetch("PEER_DIR")
require "logger"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"
require "doorkeeper"
require "doorkeeper/openid_connect"
require "openssl"
require "fileutils"

if ENV["NONCE"] != "0"
  consent = "views/doorkeeper/authorizations/new.html.erb"
  own = File.read(File.join(Gem.loaded_specs["doorkeeper"]&.full_gem_path || File.expand_path("../..", $LOADED_FEATURES.grep(%r{/doorkeeper\.rb$}).first), "app", consent))
  FileUtils.mkdir_p(File.dirname(File.join(dir, "app", consent)))
  File.write(File.join(dir, "app", consent), own.gsub("<%= hidden_field_tag :client_id", "<%= hidden_field_tag :nonce, @pre_auth.nonce %>\n<%= hidden_field_tag :client_id"))
end

class Peer < Rails::Application
  config.root = ENV.fetch("PEER_DIR")
  config.eager_load = false
  config.consider_all_requests_local = true
  config.secret_key_base = "for tests only" * 5
  config.hosts.clear
  config.logger = Logger.new($stderr, level: Logger::WARN)
  config.session_store :cookie_store, key: "_peer"
  config.public_file_server.enabled = false
  config.action_controller.default_protect_from_forgery = false
end
ENV["DATABASE_URL"] = "sqlite3:#{File.join(dir, 'peer.sqlite3')}"

Person = Struct.new(:id)
Doorkeeper.configure do
  orm :active_record
  resource_owner_authenticator { session[:user] ? Person.new(session[:user]) : redirect_to("/login?return_to=#{CGI.escape(request.fullpath)}") }
  access_token_expires_in Integer(ENV.fetch("TTL"))
  authorization_code_expires_in 60
  use_refresh_token
  force_ssl_in_redirect_uri false
  default_scopes :openid
  optional_scopes :profile, :email, :offline_access
  grant_flows %w[authorization_code]
  base_controller "ActionController::Base"
end
Doorkeeper::OpenidConnect.configure do
  issuer "http://127.0.0.1:#{port}"
  signing_key OpenSSL::PKey::RSA.new(2048).to_pem
  signing_algorithm :rs256
  subject_types_supported [:public]
  resource_owner_from_access_token { |token| Person.new(token.resource_owner_id) }
  auth_time_from_resource_owner { |_| Time.now.to_i }
  subject { |owner, _| "user-#{owner.id}" }
  protocol { :http }
  claims { claim(:email, scope: :email, response: %i[id_token user_info]) { |_| "alice@example.test" } }
end

class LoginController < ActionController::Base
  def show
    render html: %(<form method="post" action="/login"><input type="hidden" name="return_to" value="#{ERB::Util.h(params[:return_to])}"><input name="username"><input type="password" name="password"><button>Log in</button></form>).html_safe
  end

  def create
    return render(plain: "wrong name or password", status: 401) unless params[:username] == "alice" && params[:password] == "alice-pw"
    session[:user] = 1
    redirect_to params[:return_to]
  end
end
Peer.initialize!
Peer.routes.draw do
  use_doorkeeper
  use_doorkeeper_openid_connect
  get "/login", to: "login#show"
  post "/login", to: "login#create"
end

ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  create_table :oauth_applications do |t|
    t.string :name, :uid, :secret, null: false
    t.text :redirect_uri, null: false
    t.string :scopes, null: false, default: ""
    t.boolean :confidential, null: false, default: true
    t.timestamps null: false
  end
  create_table :oauth_access_grants do |t|
    t.references :resource_owner, :application, null: false
    t.string :token, null: false
    t.integer :expires_in, null: false
    t.text :redirect_uri, null: false
    t.datetime :created_at, null: false
    t.datetime :revoked_at
    t.string :scopes, null: false, default: ""
    t.string :code_challenge, :code_challenge_method
  end
  create_table :oauth_access_tokens do |t|
    t.references :resource_owner
    t.references :application, null: false
    t.string :token, null: false
    t.string :refresh_token
    t.integer :expires_in
    t.datetime :revoked_at
    t.datetime :created_at, null: false
    t.string :scopes
  end
  create_table :oauth_openid_requests do |t|
    t.references :access_grant, null: false
    t.string :nonce, null: false
  end
end
Doorkeeper::Application.create!(name: "Curfew", uid: "curfew", secret: "unused", confidential: false,
  redirect_uri: "http://127.0.0.1/callback\nhttp://[::1]/callback", scopes: "openid profile email offline_access")
run Peer
