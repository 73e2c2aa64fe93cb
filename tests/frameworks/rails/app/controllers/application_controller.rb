class ApplicationController < ActionController::Base
  # The token of one form is valid for all: the test reads few forms.
  self.per_form_csrf_tokens = false

  # Like turbo-rails, which does not add the field to Vary; and like many sites for rails-ujs.
  layout -> { request.headers['Turbo-Frame'] || request.xhr? ? 'frame' : 'application' }

  private

  # A public page, unless the reader has a session: then it may have a greeting and the flash.
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
