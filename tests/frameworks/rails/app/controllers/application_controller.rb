class ApplicationController < ActionController::Base
  # One form's token is good for the others: the test fills in few.
  self.per_form_csrf_tokens = false

  # As turbo-rails does it, which says nothing of it in Vary; and as many do it for rails-ujs.
  layout -> { request.headers['Turbo-Frame'] || request.xhr? ? 'frame' : 'application' }

  private

  # A page for all, unless its reader has a session: then it may greet, and shows the flash.
  def public_page(*tags)
    return if cookies['_app_session']
    request.session_options[:skip] = true
    expires_in 1.hour, public: true
    response.set_header 'Cache-Tag', tags.join(',')
  end

  def signed_in
    redirect_to new_session_path unless session[:user]
  end
end
